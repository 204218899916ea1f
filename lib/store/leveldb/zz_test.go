package leveldb
import ("testing";"os";"strings";"time";"runtime/debug";"os/exec";"path/filepath";"sync";"sync/atomic";"namecast/lib/rr")
func rss() string { b,_:=os.ReadFile("/proc/self/status"); for _,l:=range strings.Split(string(b),"\n"){ if strings.HasPrefix(l,"VmRSS")||strings.HasPrefix(l,"RssAnon"){ return l } }; return "" }
func TestZZ(t *testing.T){
 if dir:=os.Getenv("ZZDIR"); dir!="" {
  t.Log("before",rss())
  t0:=time.Now(); db:=open(t,dir,Options{}); t.Log("open",time.Since(t0),rss())
  for !db.names.absent("a/","nobody") { time.Sleep(time.Millisecond) }
  t.Log("directory",time.Since(t0),rss())
  debug.FreeOSMemory(); t.Log("after GC",rss())
  www:=rr.MustName("www")
  for i:=0;i<300000;i++ { v,_:=db.View(); v.Node("a"+benchChange(1+i*7919%100000,1).Head.Account[1:],www); v.Release() }
  t.Log("after 300k reads",rss()); debug.FreeOSMemory(); t.Log("after GC",rss())
  db.Close(); return }
 dir:=filepath.Join(t.TempDir(),"db"); db:=open(t,dir,Options{})
 t0:=time.Now(); var wg sync.WaitGroup; var next atomic.Int64
 for range 64 { wg.Go(func(){ for n:=int(next.Add(1));n<=100000;n=int(next.Add(1)){ if _,err:=db.Commit(t.Context(),benchChange(n,1));err!=nil{t.Error(err)} } }) }
 wg.Wait(); t.Log("filled by commits",time.Since(t0),rss())
 f,_:=os.Create(t.TempDir()+"/bk"); t0=time.Now(); t.Log(db.Backup(t.Context(),f)); st,_:=f.Stat(); t.Log("backup",time.Since(t0),st.Size())
 f.Seek(0,0); db2:=open(t,t.TempDir()+"/db2",Options{}); t0=time.Now(); t.Log(db2.Restore(t.Context(),f)); t.Log("restore",time.Since(t0)); db2.Close()
 db.Close()
 o,_:=exec.Command("du","-sh",dir).Output(); t.Log(string(o))
 c:=exec.Command(os.Args[0],"-test.run=TestZZ","-test.v"); c.Env=append(os.Environ(),"ZZDIR="+dir); o,_=c.CombinedOutput(); t.Log(string(o))
}

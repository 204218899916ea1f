//go:build race

package trial

func init() {
	raceDetector = true
	startLimit, wholeLimit = 3*startLimit, 3*wholeLimit
}

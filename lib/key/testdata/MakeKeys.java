import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.util.Base64;

/** Made the java_*.pem files here: keys, and signatures of "sample", of the JDK's own providers. */
public class MakeKeys {
    static void pem(String file, String type, byte[] der) throws Exception {
        String body = Base64.getMimeEncoder(64, new byte[]{'\n'}).encodeToString(der);
        Files.writeString(Path.of(file), "-----BEGIN " + type + "-----\n" + body + "\n-----END " + type + "-----\n");
    }

    static void make(String name, String algorithm, int bits, String signature) throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance(algorithm);
        if (bits > 0) g.initialize(bits);
        KeyPair k = g.generateKeyPair();
        pem(name + ".pem", "PRIVATE KEY", k.getPrivate().getEncoded());
        pem(name + "_public.pem", "PUBLIC KEY", k.getPublic().getEncoded());
        if (signature == null) return;
        Signature s = Signature.getInstance(signature);
        s.initSign(k.getPrivate());
        s.update("sample".getBytes(StandardCharsets.US_ASCII));
        pem(name + "_signature.pem", "SIGNATURE", s.sign());
    }

    public static void main(String[] args) throws Exception {
        make("java_dsa1024", "DSA", 1024, "SHA1withDSA");
        // The JDK does not sign with SHA-1 where q is longer than 160 bits.
        make("java_dsa2048", "DSA", 2048, null);
        make("java_dsa3072", "DSA", 3072, null);
        make("java_ed25519", "Ed25519", 0, "Ed25519");
    }
}

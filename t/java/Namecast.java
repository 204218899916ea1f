// Namecast.java is a client of the Namecast Update Protocol, version 0, that
// shares nothing with the rest of this tree: it was written from appendix A of
// the paper and uses only the JDK (its X.509 encoding and its SHA1withDSA). The
// test beside it holds the Go programs against it, in both directions.
//
// Usage:
//	java Namecast keygen BITS > key.pem
//	java Namecast hash key.pem
//	java Namecast packet key.pem SEQUENCE [element...] > packet
//	java Namecast send HOST PORT < packet
//	java Namecast verify < packets
//	java Namecast parse-reply < reply
//
// An element is one argument, its parts separated by '|':
//	add|NAME|TYPE|DATA|TTL
//	delete|NAME    delete|NAME|TYPE    delete|NAME|TYPE|DATA
//	validate|DOMAIN|CONTACT|TTL
//	OPCODE|NAME|TYPE|DATA|TTL     any number as the opcode
//
// A packet without elements and with sequence number 0 asks for the next
// sequence number.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.math.BigInteger;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.PortUnreachableException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.DSAParams;
import java.security.interfaces.DSAPrivateKey;
import java.security.interfaces.DSAPublicKey;
import java.security.spec.DSAPublicKeySpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

public final class Namecast {
    private static final byte[] MAGIC = "Namecast".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 0;

    public static void main(String[] args) {
        if (args.length == 0) {
            usage();
        }
        try {
            run(args);
        } catch (IOException | GeneralSecurityException e) {
            System.out.flush();
            System.err.println("Namecast " + args[0] + ": " + e);
            System.exit(1);
        }
        System.out.flush();
    }

    private static void run(String[] args) throws IOException, GeneralSecurityException {
        switch (args[0] + "/" + Math.min(args.length, 3)) {
            case "keygen/2" -> keygen(Integer.parseInt(args[1]));
            case "hash/2" -> System.out.println(hash(readKey(args[1]).getPublic().getEncoded()));
            case "packet/3" -> System.out.write(packet(readKey(args[1]), Long.parseLong(args[2]),
                    Arrays.asList(args).subList(3, args.length)));
            case "send/3" -> printReply(send(args[1], Integer.parseInt(args[2]), System.in.readAllBytes()));
            case "verify/1" -> verify(System.in.readAllBytes());
            case "parse-reply/1" -> printReply(System.in.readAllBytes());
            default -> usage();
        }
    }

    private static void usage() {
        System.err.println("usage: java Namecast keygen|hash|packet|send|verify|parse-reply ...");
        System.exit(2);
    }

    // Keys.

    private static void keygen(int bits) throws GeneralSecurityException {
        KeyPairGenerator g = KeyPairGenerator.getInstance("DSA");
        g.initialize(bits);
        byte[] pkcs8 = g.generateKeyPair().getPrivate().getEncoded();
        System.out.println("-----BEGIN PRIVATE KEY-----");
        System.out.println(Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(pkcs8));
        System.out.println("-----END PRIVATE KEY-----");
    }

    /** Reads a PKCS#8 file, PEM or DER, and works the public key out: y = g^x mod p. */
    private static KeyPair readKey(String file) throws IOException, GeneralSecurityException {
        byte[] b = Files.readAllBytes(Path.of(file));
        String text = new String(b, StandardCharsets.ISO_8859_1);
        if (text.contains("-----BEGIN PRIVATE KEY-----")) {
            b = Base64.getMimeDecoder().decode(text.replaceAll("(?s).*-----BEGIN PRIVATE KEY-----|-----END.*", ""));
        }
        KeyFactory f = KeyFactory.getInstance("DSA");
        DSAPrivateKey secret = (DSAPrivateKey) f.generatePrivate(new PKCS8EncodedKeySpec(b));
        DSAParams p = secret.getParams();
        BigInteger y = p.getG().modPow(secret.getX(), p.getP());
        return new KeyPair(f.generatePublic(new DSAPublicKeySpec(y, p.getP(), p.getQ(), p.getG())), secret);
    }

    /** The account's name: lower-case hex of the SHA-1 hash of the X.509 key. */
    private static String hash(byte[] x509) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(x509));
    }

    // Update packets, written.

    private static byte[] packet(KeyPair key, long sequence, List<String> elements)
            throws IOException, GeneralSecurityException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        byte[] x509 = key.getPublic().getEncoded();
        out.write(MAGIC);
        out.writeShort(VERSION);
        out.writeShort(x509.length);
        out.write(x509);
        out.writeLong(sequence);
        out.writeShort(elements.size());
        for (String e : elements) {
            writeElement(out, e.split("\\|", -1));
        }
        byte[] signature = sign(key, bytes.toByteArray());
        out.writeShort(signature.length);
        out.write(signature);
        return bytes.toByteArray();
    }

    /**
     * SHA1withDSA. The JDK verifies, but does not make, signatures whose hash is
     * shorter than q (2048 and 3072 bit keys); those are made here.
     */
    private static byte[] sign(KeyPair key, byte[] message) throws GeneralSecurityException {
        DSAPrivateKey secret = (DSAPrivateKey) key.getPrivate();
        if (secret.getParams().getQ().bitLength() > 160) {
            return signByHand(secret, message);
        }
        Signature s = Signature.getInstance("SHA1withDSA");
        s.initSign(secret);
        s.update(message);
        return s.sign();
    }

    /** FIPS 186-4 section 4.6: r = (g^k mod p) mod q, s = (z + x r) / k mod q. */
    private static byte[] signByHand(DSAPrivateKey secret, byte[] message) throws GeneralSecurityException {
        BigInteger q = secret.getParams().getQ();
        BigInteger z = new BigInteger(1, MessageDigest.getInstance("SHA-1").digest(message));
        BigInteger k = new BigInteger(q.bitLength() + 64, new SecureRandom())
                .mod(q.subtract(BigInteger.ONE)).add(BigInteger.ONE);
        BigInteger r = secret.getParams().getG().modPow(k, secret.getParams().getP()).mod(q);
        BigInteger s = k.modInverse(q).multiply(z.add(secret.getX().multiply(r))).mod(q);
        byte[] rb = r.toByteArray();
        byte[] sb = s.toByteArray();
        return ByteBuffer.allocate(6 + rb.length + sb.length) // DER: SEQUENCE { INTEGER r, INTEGER s }
                .put((byte) 0x30).put((byte) (4 + rb.length + sb.length))
                .put((byte) 2).put((byte) rb.length).put(rb)
                .put((byte) 2).put((byte) sb.length).put(sb).array();
    }

    private static void writeElement(DataOutputStream out, String[] part) throws IOException {
        String type = "";
        String data = "";
        int ttl = 0;
        int opcode;
        switch (part[0]) {
            case "add" -> {
                opcode = 0;
                type = part[2] + "\0";
                data = part[3];
                ttl = Integer.parseInt(part[4]);
            }
            case "delete" -> {
                opcode = 1;
                type = (part.length > 2 ? part[2] : "") + "\0";
                data = part.length > 3 ? part[3] : "";
            }
            case "validate" -> {
                opcode = 2;
                data = part[2];
                ttl = Integer.parseInt(part[3]);
            }
            default -> {
                opcode = Integer.parseInt(part[0]);
                type = part[2] + "\0";
                data = part[3];
                ttl = Integer.parseInt(part[4]);
            }
        }
        out.writeShort(opcode);
        byte[] name = ascii(part[1]);
        out.writeShort(name.length);
        out.write(name);
        byte[] typeBytes = ascii(type);
        out.writeShort(typeBytes.length);
        out.write(typeBytes);
        byte[] rdata = data.getBytes(StandardCharsets.ISO_8859_1);
        out.writeInt(rdata.length);
        out.write(rdata);
        out.writeInt(ttl);
    }

    private static byte[] ascii(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }

    // The network.

    /** Sends the same bytes until a reply to them comes, at most six times. */
    private static byte[] send(String host, int port, byte[] request) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.connect(InetAddress.getByName(host), port);
            for (int wait = 250; wait <= 8000; wait *= 2) {
                socket.send(new DatagramPacket(request, request.length));
                socket.setSoTimeout(wait);
                byte[] reply = receive(socket);
                if (reply != null) {
                    return reply;
                }
            }
        }
        System.err.println("no answer");
        System.exit(111);
        return null;
    }

    private static byte[] receive(DatagramSocket socket) throws IOException {
        DatagramPacket in = new DatagramPacket(new byte[65535], 65535);
        try {
            socket.receive(in);
        } catch (SocketTimeoutException | PortUnreachableException e) {
            return null;
        }
        return Arrays.copyOf(in.getData(), in.getLength());
    }

    // Update packets, read.

    /** Reads packets that follow one another; prints each and whether its signature holds. */
    private static void verify(byte[] stream) throws IOException, GeneralSecurityException {
        boolean good = true;
        for (int from = 0; from < stream.length; ) {
            int used = verifyOne(Arrays.copyOfRange(stream, from, stream.length));
            good &= used > 0;
            from += Math.abs(used);
        }
        if (!good || stream.length == 0) {
            System.out.flush();
            System.exit(1);
        }
    }

    /** Returns the packet's length, negative if its signature is bad. */
    private static int verifyOne(byte[] b) throws IOException, GeneralSecurityException {
        ByteArrayInputStream bytes = new ByteArrayInputStream(b);
        DataInputStream in = new DataInputStream(bytes);
        header(in);
        byte[] x509 = exactly(in, in.readShort());
        PublicKey key = KeyFactory.getInstance("DSA").generatePublic(new X509EncodedKeySpec(x509));
        if (!Arrays.equals(key.getEncoded(), x509)) {
            throw new IOException("the key is not in the JDK's X.509 form");
        }
        long sequence = in.readLong();
        int count = in.readShort();
        if (count < 0) {
            throw new IOException("negative element count");
        }
        StringBuilder elements = new StringBuilder();
        for (int i = 0; i < count; i++) {
            elements.append(element(in));
        }
        int signed = b.length - bytes.available();
        Signature s = Signature.getInstance("SHA1withDSA");
        s.initVerify(key);
        s.update(b, 0, signed);
        boolean good = s.verify(exactly(in, in.readShort()));
        System.out.printf("packet version=%d account=%s bits=%d sequence=%d elements=%d signature=%s%n%s", VERSION,
                hash(x509), ((DSAPublicKey) key).getParams().getP().bitLength(), sequence, count,
                good ? "good" : "BAD", elements);
        int used = b.length - bytes.available();
        return good ? used : -used;
    }

    private static String element(DataInputStream in) throws IOException {
        int opcode = in.readShort();
        String name = new String(exactly(in, in.readShort()), StandardCharsets.US_ASCII);
        String type = new String(exactly(in, in.readShort()), StandardCharsets.US_ASCII);
        if (opcode != 2 && !type.endsWith("\0")) {
            throw new IOException("the RR type does not end in a null byte");
        }
        String data = new String(exactly(in, in.readInt()), StandardCharsets.ISO_8859_1);
        int ttl = in.readInt();
        return String.format("element opcode=%d name=%s type=%s data=\"%s\" ttl=%d%n", opcode, name,
                type.replace("\0", ""), data, ttl);
    }

    private static void header(DataInputStream in) throws IOException {
        if (!Arrays.equals(exactly(in, MAGIC.length), MAGIC)) {
            throw new IOException("does not start with \"Namecast\"");
        }
        int version = in.readShort();
        if (version != VERSION) {
            throw new IOException("version " + version);
        }
    }

    private static byte[] exactly(DataInputStream in, int n) throws IOException {
        if (n < 0) {
            throw new IOException("negative length " + n);
        }
        if (in.available() < n) {
            throw new EOFException("length " + n + ", but " + in.available() + " bytes are left");
        }
        return in.readNBytes(n);
    }

    // Replies.

    private static void printReply(byte[] b) throws IOException, GeneralSecurityException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(b));
        header(in);
        byte[] x509 = exactly(in, in.readShort());
        long sequence = in.readLong();
        long next = in.readLong();
        int count = in.readShort();
        int status = in.readShort();
        StringBuilder codes = new StringBuilder();
        for (int i = 0; i < count; i++) {
            codes.append(i == 0 ? "" : ",").append(in.readShort());
        }
        if (count < 0 || in.available() > 0) {
            throw new IOException("the reply does not end where its element codes do");
        }
        System.out.printf("reply account=%s sequence=%d next=%d status=%d codes=%s%n", hash(x509), sequence, next,
                status, codes);
    }
}

package datacontracts;

import java.io.Serializable;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import org.apache.spark.sql.types.Decimal;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The hash that stands for a value: HMAC-SHA-256 in hex, as contracts/masks/hashing.py makes it.
 *
 * A plan shows its literals, and Spark has no function for an HMAC.  So the key is in this object, which no plan shows.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class Hash implements Serializable {

    private static final String NAME = "HmacSHA256";
    private static final char[] DIGITS = "0123456789abcdef".toCharArray();

    private final byte[] key;
    // A Mac is not for several threads, nor does it go to an executor.
    private transient ThreadLocal macs;

    public Hash(byte[] key) {
        this.key = key;
    }

    public UTF8String ofBytes(byte[] value) throws Exception {
        byte[] found = this.mac().doFinal(value);
        char[] text = new char[2 * found.length];
        for (int at = 0; at < found.length; at++) {
            text[2 * at] = DIGITS[(found[at] >> 4) & 15];
            text[2 * at + 1] = DIGITS[found[at] & 15];
        }
        return UTF8String.fromString(new String(text));
    }

    /** Of the number with all digits of its scale. */
    public UTF8String ofDecimal(Decimal value) throws Exception {
        BigDecimal number = value.toJavaBigDecimal();
        return this.ofBytes(number.toPlainString().getBytes(StandardCharsets.UTF_8));
    }

    private Mac mac() throws Exception {
        ThreadLocal of = this.locals();
        Mac found = (Mac) of.get();
        if (found == null) {
            found = Mac.getInstance(NAME);
            found.init(new SecretKeySpec(this.key, NAME));
            of.set(found);
        }
        return found;
    }

    ThreadLocal locals() {
        synchronized (this) {
            if (this.macs == null) this.macs = new ThreadLocal();
            return this.macs;
        }
    }

    public String toString() {
        return "Hash";
    }
}

package datacontracts;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads the framing of a Kafka record and walks its body with the schema that it was written with.
 *
 * Avro's own reader accepts bytes that no writer should send, and alters them: it drops the upper bits of an int of 33
 * bits, and allocates as many items as a body claims.  What passes this reader, `from_avro` decodes to exactly the
 * values that were written.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class StrictReader implements Serializable {

    private static final int PREFIX = 5;
    private static final int GUID = 17;
    private static final String NULL_VALUE = "NULL_VALUE";
    private static final String TOO_SHORT = "TOO_SHORT";
    private static final String BAD_MAGIC = "BAD_MAGIC";
    private static final String BAD_HEADER = "BAD_SCHEMA_ID_HEADER";
    private static final String UNKNOWN = "UNKNOWN_SCHEMA_ID";
    private static final String DECODE_ERROR = "DECODE_ERROR";
    // 1582-10-15, µs: Spark's Kafka source moves earlier timestamps by the days between the two calendars.
    private static final long GREGORIAN = -12219292800000000L;

    private final UTF8String header;
    // Schema id, or GUID as text -> what is known of it.
    private final HashMap writers = new HashMap();
    // Detail for every id that is not among them; null: such an id fails the job, so that it is looked up.
    private String unknown;

    /** @param header name of the Kafka header that may carry the schema id */
    public StrictReader(String header) {
        this.header = UTF8String.fromString(header);
    }

    /**
     * Adds a writer schema.
     *
     * @param key schema id in decimal digits, or GUID
     * @param number the writer's number, which `read` returns
     * @param program its nodes, see streaming/decode/strict.py
     */
    public void add(String key, int number, String program) {
        this.writers.put(StrictReader.keyOf(key), new Writer(number, StrictReader.nodes(program), null));
    }

    /** Adds a schema whose records are rejected. */
    public void refuse(String key, String reason, String detail) {
        this.writers.put(StrictReader.keyOf(key), new Writer(-1, null, StrictReader.flaw(reason, detail)));
    }

    /** Rejects every other schema id with `detail`, in which the id replaces {}. */
    public void close(String detail) {
        this.unknown = detail;
    }

    /**
     * Returns a record's timestamp from Spark's Kafka source, µs since the epoch.
     *
     * @throws UnreadableTimestamp the record was sent with another one
     */
    public long timestamp(long micros) {
        if (micros < GREGORIAN) throw new UnreadableTimestamp();
        return micros;
    }

    /**
     * Returns the schema id (digits) or GUID that a record names, null when it names none.
     */
    public UTF8String key(byte[] value, ArrayData headers) {
        if (value == null) return null;
        byte[] named = this.named(headers);
        Object key = null;
        if (named != null) {
            key = StrictReader.keyOfHeader(named);
        } else if (value.length >= PREFIX && value[0] == 0) {
            key = Integer.valueOf(StrictReader.id(value));
        }
        if (key instanceof Integer && ((Integer) key).intValue() < 0) return null;
        return key == null ? null : UTF8String.fromString(key.toString());
    }

    /**
     * Judges a record: (writer's number, start of the body in the value, reason, detail).  Without a reason it can be
     * decoded.
     *
     * @throws UnseenSchema its schema has to be looked up
     */
    public InternalRow read(byte[] value, ArrayData headers) {
        if (value == null) return StrictReader.flaw(NULL_VALUE, "the record has no value");
        byte[] named = this.named(headers);
        Object key;
        int start;
        if (named != null) {
            key = StrictReader.keyOfHeader(named);
            start = 0;
            if (key == null) {
                return StrictReader.flaw(BAD_HEADER, "the header " + this.header + " has " + named.length
                    + " bytes" + (named.length == 0 ? "" : ", the first of them " + StrictReader.hex(named[0]))
                    + ": it is neither 0x00 and an id of 4 bytes, nor 0x01 and a GUID of 16");
            }
        } else {
            if (value.length < PREFIX) {
                return StrictReader.flaw(TOO_SHORT,
                    "the value has " + value.length + " bytes; the framing alone takes " + PREFIX);
            }
            if (value[0] != 0) {
                return StrictReader.flaw(BAD_MAGIC, "the first byte is " + StrictReader.hex(value[0]) + ", not 0x00");
            }
            key = Integer.valueOf(StrictReader.id(value));
            start = PREFIX;
        }
        if (key instanceof Integer && ((Integer) key).intValue() < 0) {
            long unsigned = ((Integer) key).intValue() & 0xffffffffL;
            return StrictReader.flaw(UNKNOWN, "schema id " + unsigned + " is larger than a registry assigns");
        }
        Writer writer = (Writer) this.writers.get(key);
        if (writer == null) {
            if (this.unknown == null) throw new UnseenSchema(key.toString());
            return StrictReader.flaw(UNKNOWN, this.unknown.replace("{}", key.toString()));
        }
        if (writer.refused != null) return writer.refused;
        Walk walk = new Walk(value, start);
        String flaw;
        try {
            walk.node(writer.root, 0);
            int left = value.length - walk.at;
            flaw = left == 0 ? null : left + (left == 1 ? " byte is" : " bytes are") + " left after the record's end";
        } catch (Malformed malformed) {
            flaw = malformed.words();
        }
        if (flaw != null) return StrictReader.flaw(DECODE_ERROR, flaw);
        return start == 0 ? writer.headed : writer.prefixed;
    }

    /** Returns the bytes of the last header that names a schema; null when there is none. */
    private byte[] named(ArrayData headers) {
        if (headers == null) return null;
        for (int i = headers.numElements() - 1; i >= 0; i--) {
            InternalRow one = headers.getStruct(i, 2);
            if (!one.isNullAt(0) && one.getUTF8String(0).equals(this.header)) {
                return one.isNullAt(1) ? new byte[0] : one.getBinary(1);
            }
        }
        return null;
    }

    private static Object keyOfHeader(byte[] named) {
        if (named.length == PREFIX && named[0] == 0) return Integer.valueOf(StrictReader.id(named));
        if (named.length != GUID || named[0] != 1) return null;
        ByteBuffer bytes = ByteBuffer.wrap(named);
        return new java.util.UUID(bytes.getLong(1), bytes.getLong(9)).toString();
    }

    private static Object keyOf(String key) {
        return key.indexOf('-') < 0 ? (Object) Integer.valueOf(key) : key;
    }

    private static int id(byte[] framed) {
        return ByteBuffer.wrap(framed).getInt(1);
    }

    private static String hex(byte one) {
        return String.format("0x%02X", new Object[] {Byte.valueOf(one)});
    }

    private static GenericInternalRow flaw(String reason, String detail) {
        return new GenericInternalRow(
            new Object[] {null, null, UTF8String.fromString(reason), UTF8String.fromString(detail)});
    }

    /** Parses a line for each node: kind, path, numbers; the last word of a line lists its parts. */
    private static Node nodes(String program) {
        String[] lines = program.split("\n");
        Node[] made = new Node[lines.length];
        for (int i = 0; i < lines.length; i++) made[i] = new Node(lines[i].split("\t", -1));
        for (int i = 0; i < lines.length; i++) {
            String parts = lines[i].split("\t", -1)[5];
            String[] names = parts.isEmpty() ? new String[0] : parts.split(",");
            made[i].parts = new Node[names.length];
            for (int k = 0; k < names.length; k++) made[i].parts[k] = made[Integer.parseInt(names[k])];
        }
        return made[0];
    }

    /** One writer schema. */
    private static final class Writer implements Serializable {
        final Node root;
        final GenericInternalRow refused;
        final GenericInternalRow prefixed;
        final GenericInternalRow headed;

        Writer(int number, Node root, GenericInternalRow refused) {
            this.root = root;
            this.refused = refused;
            this.prefixed = Writer.good(number, PREFIX);
            this.headed = Writer.good(number, 0);
        }

        private static GenericInternalRow good(int number, int start) {
            return new GenericInternalRow(new Object[] {Integer.valueOf(number), Integer.valueOf(start), null, null});
        }
    }

    /** One type of a writer schema, and how the contract's schema reads it. */
    private static final class Node implements Serializable {
        final char kind;
        final String path;
        // The least and the largest number.  Of a fixed and an enum, `high` is its size; of bytes, `low` the least
        // length; of an array, `low` is the least size of an item.
        final long low;
        final long high;
        // Of text: 1 when it is kept and checked.  Of a collection: 1 when it is kept, so that Avro ignores the sizes
        // of its blocks.
        final int kept;
        Node[] parts;

        Node(String[] words) {
            this.kind = words[0].charAt(0);
            this.path = words[1];
            this.low = Long.parseLong(words[2]);
            this.high = Long.parseLong(words[3]);
            this.kept = Integer.parseInt(words[4]);
        }
    }

    /** The bytes are not a value of the schema. */
    private static final class Malformed extends RuntimeException {
        private final String path;
        private final String what;

        Malformed(Node node, String what) {
            this(node.path, what);
        }

        Malformed(String path, String what) {
            super(what, null, false, false);
            this.path = path;
            this.what = what;
        }

        String words() {
            return (this.path.isEmpty() ? "the record" : this.path) + " " + this.what;
        }
    }

    /** One walk over one body. */
    private static final class Walk {
        // A body can claim endless items that take no bytes.
        private static final int MOST_EMPTY_ITEMS = 10000;
        private static final int DEEPEST = 200;
        // Avro's own reader gets the same limit (streaming/spark/session.py).
        private static final int MOST_BYTES = 64 * 1024 * 1024;

        private final byte[] bytes;
        int at;
        private int empty;

        Walk(byte[] bytes, int at) {
            this.bytes = bytes;
            this.at = at;
        }

        void node(Node node, int depth) {
            switch (node.kind) {
                case 'n':
                    return;
                case 'b':
                    int bool = this.one(node);
                    if (bool != 0 && bool != 1) throw new Malformed(node, "is neither true nor false");
                    return;
                case 'i':
                    this.number(node, this.varint(node));
                    return;
                case 'l':
                    this.number(node, this.varlong(node));
                    return;
                case 'x':
                    this.skip(node, node.high);
                    return;
                case 'y':
                    this.skip(node, this.length(node));
                    return;
                case 's':
                    int size = this.length(node);
                    int from = this.at;
                    this.skip(node, size);
                    if (node.kept == 1) StrictReader.text(node, this.bytes, from, this.at);
                    return;
                case 'e':
                    long symbol = this.varint(node);
                    if (symbol < 0 || symbol >= node.high) {
                        throw new Malformed(node, "is not one of the enum's symbols");
                    }
                    return;
                case 'u':
                    long branch = this.varint(node);
                    if (branch < 0 || branch >= node.parts.length) {
                        throw new Malformed(node, "is not one of the union's types");
                    }
                    this.node(node.parts[(int) branch], this.deeper(node, depth));
                    return;
                case 'r':
                    int inside = this.deeper(node, depth);
                    Node[] fields = node.parts;
                    for (int i = 0; i < fields.length; i++) this.node(fields[i], inside);
                    return;
                case 'a':
                case 'm':
                    this.collection(node, this.deeper(node, depth));
                    return;
                default:
                    throw new IllegalStateException("kind " + node.kind);
            }
        }

        private int deeper(Node node, int depth) {
            if (depth >= DEEPEST) throw new Malformed(node, "is nested more than " + DEEPEST + " levels deep");
            return depth + 1;
        }

        private void number(Node node, long value) {
            if (value < node.low || value > node.high) {
                throw new Malformed(node, "is not between the years 1 and 9999");
            }
        }

        private void collection(Node node, int depth) {
            HashSet keys = null;
            ArrayList few = null;
            boolean isMap = node.kind == 'm';
            Node item = node.parts[0];
            while (true) {
                long count = this.varlong(node);
                if (count == 0) return;
                boolean sized = count < 0;
                long size = 0;
                if (count < 0) {
                    size = this.varlong(node);
                    count = -count;
                }
                int begin = this.at;
                int left = this.bytes.length - begin;
                if (count < 0 || (isMap || node.low > 0) && count > left) {
                    throw new Malformed(node, "claims more items than the body has bytes left");
                }
                for (long i = 0; i < count; i++) {
                    if (isMap) {
                        int length = this.length(node);
                        int from = this.at;
                        this.skip(node, length);
                        if (node.kept == 1) {
                            StrictReader.textOfKey(node, this.bytes, from, this.at);
                            if (few == null) few = new ArrayList();
                            ByteBuffer key = ByteBuffer.wrap(this.bytes, from, length);
                            if (keys == null && few.size() < 8) {
                                if (few.contains(key)) throw new Malformed(node, "has a key twice");
                                few.add(key);
                            } else {
                                if (keys == null) keys = new HashSet(few);
                                if (!keys.add(key)) throw new Malformed(node, "has a key twice");
                            }
                        }
                    }
                    int before = this.at;
                    this.node(item, depth);
                    if (this.at == before && !isMap && ++this.empty > MOST_EMPTY_ITEMS) {
                        throw new Malformed(node, "claims more than " + MOST_EMPTY_ITEMS + " items that take no bytes");
                    }
                }
                // Avro trusts the size when it skips the collection, and ignores it when it reads the items.
                if (sized && node.kept == 0 && size != this.at - begin) {
                    throw new Malformed(node, "has a block whose size is not the size of its items");
                }
            }
        }

        private int length(Node node) {
            long length = this.varlong(node);
            if (length < 0 || length > MOST_BYTES) {
                throw new Malformed(node, length < 0 ? "has a negative length" : "claims more than 64 MiB");
            }
            if (length < node.low && (node.kind == 'y')) throw new Malformed(node, "is a decimal without any digits");
            return (int) length;
        }

        private void skip(Node node, long size) {
            if (size > this.bytes.length - this.at) throw this.torn(node);
            this.at += (int) size;
        }

        private int one(Node node) {
            if (this.at >= this.bytes.length) throw this.torn(node);
            return this.bytes[this.at++];
        }

        private Malformed torn(Node node) {
            return new Malformed(node, "is cut off: the body ends in it");
        }

        /** Reads at most five bytes and 32 bits: Avro's reader drops further bits. */
        private int varint(Node node) {
            long raw = 0;
            for (int shift = 0; shift < 35; shift += 7) {
                int b = this.one(node);
                raw |= (long) (b & 0x7f) << shift;
                if (b >= 0) {
                    if (raw >>> 32 != 0) throw new Malformed(node, StrictReader.beyond(node, 32));
                    int n = (int) raw;
                    return (n >>> 1) ^ -(n & 1);
                }
            }
            throw new Malformed(node, StrictReader.beyond(node, 32));
        }

        /** Reads at most ten bytes and 64 bits. */
        private long varlong(Node node) {
            long raw = 0;
            for (int shift = 0; shift < 70; shift += 7) {
                int b = this.one(node);
                if (shift == 63 && (b & 0x7f) > 1) throw new Malformed(node, StrictReader.beyond(node, 64));
                raw |= (long) (b & 0x7f) << shift;
                if (b >= 0) return (raw >>> 1) ^ -(raw & 1);
            }
            throw new Malformed(node, StrictReader.beyond(node, 64));
        }
    }

    private static String beyond(Node node, int bits) {
        switch (node.kind) {
            case 'i':
                return "is not an int: it has more than 32 bits";
            case 'l':
                return "is not a long: it has more than 64 bits";
            case 'e':
                return "has an index of more than 32 bits: it is not one of the enum's symbols";
            case 'u':
                return "has a branch number of more than 32 bits: it is not one of the union's types";
            default:
                return "has a length of more than " + bits + " bits";
        }
    }

    private static void text(Node node, byte[] bytes, int from, int to) {
        int place = StrictReader.odd(bytes, from, to);
        if (place < 0) return;
        throw new Malformed(node, StrictReader.oddity(bytes[place]));
    }

    private static void textOfKey(Node node, byte[] bytes, int from, int to) {
        int place = StrictReader.odd(bytes, from, to);
        if (place < 0) return;
        throw new Malformed("a key of " + node.path, StrictReader.oddity(bytes[place]));
    }

    private static String oddity(byte one) {
        return one == 0 ? "holds the character U+0000, which PostgreSQL cannot store" : "is not valid UTF-8";
    }

    /** Returns the place of the first byte that is U+0000 or starts invalid UTF-8; -1 when there is none. */
    private static int odd(byte[] bytes, int from, int to) {
        int at = from;
        while (at < to) {
            int b = bytes[at];
            if (b > 0) {
                at++;
                continue;
            }
            if (b == 0) return at;
            int first = b & 0xff;
            int more = first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
            if (more < 0 || at + more >= to) return at;
            int second = bytes[at + 1] & 0xff;
            int low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
            int high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
            if (second < low || second > high) return at;
            for (int i = 2; i <= more; i++) {
                if ((bytes[at + i] & 0xc0) != 0x80) return at;
            }
            at += more + 1;
        }
        return -1;
    }
}

/** A record names a schema that the reader does not know; the message is its id or GUID. */
final class UnseenSchema extends RuntimeException {
    UnseenSchema(String key) {
        super(key);
    }
}

/** A record's timestamp is not the one that it was sent with. */
final class UnreadableTimestamp extends RuntimeException {
}

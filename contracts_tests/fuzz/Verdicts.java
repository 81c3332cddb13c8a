import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;

import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/** Reads many bodies with Avro's own reader.  Spark's Janino compiles it: plain Java without generics. */
public final class Verdicts {

    /** More items than any body that the stream accepts. */
    private static final int MOST_ITEMS = 2000000;

    /**
     * @param bodies each preceded by its length in four bytes
     * @return for each body -1 if it is refused or has bytes left; else the length of the record as the reader
     *     schema writes it, and the record
     */
    public static byte[] of(String writer, String reader, byte[] bodies) throws Exception {
        Schema theirs = new Schema.Parser().parse(writer);
        Schema ours = new Schema.Parser().parse(reader);
        GenericDatumReader reading = new GenericDatumReader(theirs, ours);
        GenericDatumWriter writing = new GenericDatumWriter(ours);
        ByteArrayOutputStream answers = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(answers);
        ByteBuffer in = ByteBuffer.wrap(bodies);
        while (in.hasRemaining()) {
            byte[] body = new byte[in.getInt()];
            in.get(body);
            byte[] record = Verdicts.read(reading, writing, body);
            out.writeInt(record == null ? -1 : record.length);
            if (record != null) out.write(record);
        }
        return answers.toByteArray();
    }

    private static byte[] read(GenericDatumReader reading, GenericDatumWriter writing, byte[] body) throws Exception {
        Object record;
        try {
            BinaryDecoder decoder = Patient.of(body);
            record = reading.read(null, decoder);
            if (!decoder.isEnd()) return null;
        } catch (Exception refused) {
            return null;
        }
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(written, null);
        writing.write(record, encoder);
        encoder.flush();
        return written.toByteArray();
    }

    /** Stops at a body whose skipped items never end: they take no bytes, or a negative length moves backwards. */
    private static final class Patient extends BinaryDecoder {
        private long skipped;

        /** Uses reflection, because `DecoderFactory` replaces any decoder except a plain `BinaryDecoder`. */
        static BinaryDecoder of(byte[] body) throws Exception {
            Class[] types = new Class[] {byte[].class, int.class, int.class};
            Method configure = BinaryDecoder.class.getDeclaredMethod("configure", types);
            configure.setAccessible(true);
            Patient made = new Patient();
            configure.invoke(made, new Object[] {body, Integer.valueOf(0), Integer.valueOf(body.length)});
            return made;
        }

        public long skipArray() throws IOException {
            return this.checked(super.skipArray());
        }

        public long skipMap() throws IOException {
            return this.checked(super.skipMap());
        }

        /** Called for each block that is skipped by its size, which may be negative. */
        protected void doSkipBytes(long bytes) throws IOException {
            this.checked(1);
            super.doSkipBytes(bytes);
        }

        private long checked(long items) {
            this.skipped += items;
            if (items > MOST_ITEMS || this.skipped > MOST_ITEMS) throw new IllegalStateException("too many items");
            return items;
        }
    }
}

package datacontracts;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.Properties;

import org.apache.spark.api.java.function.VoidFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.postgresql.Driver;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

/**
 * Sends the rows of a partition to PostgreSQL in one `COPY … FROM STDIN`, a transaction of its own.
 *
 * The server reads the text of each value with its column's type.  A row is in memory while it is sent, no longer.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class CopyRows implements VoidFunction {

    private static final int SENT_AT_ONCE = 64 * 1024;

    private final String url;
    private final Properties properties;
    private final String statement;
    private final DataType[] types;

    /**
     * @param url of the database
     * @param properties of the connection
     * @param statement the COPY, whose columns are those of the rows
     * @param rows the type of the rows
     */
    public CopyRows(String url, Map properties, String statement, StructType rows) {
        this.url = url;
        this.properties = new Properties();
        this.properties.putAll(properties);
        this.statement = statement;
        StructField[] fields = rows.fields();
        this.types = new DataType[fields.length];
        for (int i = 0; i < fields.length; i++) this.types[i] = fields[i].dataType();
    }

    public void call(Object partition) throws Exception {
        Iterator rows = (Iterator) partition;
        if (!rows.hasNext()) return;
        Connection connection = new Driver().connect(this.url, this.properties);
        CopyIn copy = null;
        try {
            copy = ((PGConnection) connection).getCopyAPI().copyIn(this.statement);
            Lines lines = new Lines();
            while (rows.hasNext()) {
                this.write((InternalRow) rows.next(), lines);
                if (lines.size >= SENT_AT_ONCE) lines.sendTo(copy);
            }
            lines.sendTo(copy);
            copy.endCopy();
        } finally {
            CopyRows.end(copy, connection);
        }
    }

    /** Ends the connection, and a COPY that has failed; why it has failed is thrown already. */
    private static void end(CopyIn copy, Connection connection) throws SQLException {
        try {
            if (copy != null && copy.isActive()) copy.cancelCopy();
        } catch (SQLException later) {
            // The server says that it was cancelled, or is gone.
        } finally {
            connection.close();
        }
    }

    private void write(InternalRow row, Lines lines) {
        for (int i = 0; i < this.types.length; i++) {
            if (i > 0) lines.add('\t');
            if (row.isNullAt(i)) {
                lines.add('\\');
                lines.add('N');
            } else {
                this.write(row, i, this.types[i].typeName(), lines);
            }
        }
        lines.add('\n');
    }

    private void write(InternalRow row, int i, String type, Lines lines) {
        if (type.equals("string")) {
            lines.text(row.getUTF8String(i).getBytes());
        } else if (type.equals("long")) {
            lines.ascii(Long.toString(row.getLong(i)));
        } else if (type.equals("integer")) {
            lines.ascii(Integer.toString(row.getInt(i)));
        } else if (type.equals("short")) {
            lines.ascii(Short.toString(row.getShort(i)));
        } else if (type.equals("boolean")) {
            lines.add(row.getBoolean(i) ? 't' : 'f');
        } else if (type.equals("double")) {
            lines.ascii(Double.toString(row.getDouble(i)));
        } else if (type.equals("float")) {
            lines.ascii(Float.toString(row.getFloat(i)));
        } else if (type.equals("binary")) {
            lines.hex(row.getBinary(i));
        } else if (this.types[i] instanceof DecimalType) {
            DecimalType digits = (DecimalType) this.types[i];
            lines.ascii(row.getDecimal(i, digits.precision(), digits.scale()).toJavaBigDecimal().toPlainString());
        } else {
            throw new IllegalStateException("no column of PostgreSQL has the type " + type);
        }
    }

    /** Lines of COPY's text format that were not sent yet. */
    private static final class Lines {

        private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

        private byte[] bytes = new byte[2 * SENT_AT_ONCE];
        int size = 0;

        void add(char one) {
            this.room(1);
            this.bytes[this.size++] = (byte) one;
        }

        void ascii(String text) {
            int length = text.length();
            this.room(length);
            for (int i = 0; i < length; i++) this.bytes[this.size++] = (byte) text.charAt(i);
        }

        void text(byte[] utf8) {
            this.room(2 * utf8.length);
            for (int i = 0; i < utf8.length; i++) {
                byte one = utf8[i];
                if (one == '\\' || one == '\t' || one == '\n' || one == '\r') {
                    this.bytes[this.size++] = (byte) '\\';
                    if (one == '\t') one = (byte) 't';
                    if (one == '\n') one = (byte) 'n';
                    if (one == '\r') one = (byte) 'r';
                }
                this.bytes[this.size++] = one;
            }
        }

        void hex(byte[] some) {
            this.room(3 + 2 * some.length);
            this.bytes[this.size++] = (byte) '\\';
            this.bytes[this.size++] = (byte) '\\';
            this.bytes[this.size++] = (byte) 'x';
            for (int i = 0; i < some.length; i++) {
                this.bytes[this.size++] = DIGITS[(some[i] >> 4) & 0xf];
                this.bytes[this.size++] = DIGITS[some[i] & 0xf];
            }
        }

        void sendTo(CopyIn copy) throws SQLException {
            copy.writeToCopy(this.bytes, 0, this.size);
            this.size = 0;
            if (this.bytes.length > 32 * SENT_AT_ONCE) this.bytes = new byte[2 * SENT_AT_ONCE];
        }

        private void room(int more) {
            if (this.size + more > this.bytes.length) {
                this.bytes = Arrays.copyOf(this.bytes, Math.max(2 * this.bytes.length, this.size + more));
            }
        }
    }
}

package datacontracts;

import java.io.Serializable;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.List;
import java.util.UUID;

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.spark.connector.CassandraRowMetadata;
import com.datastax.spark.connector.cql.CassandraConnector;
import com.datastax.spark.connector.cql.TableDef;
import com.datastax.spark.connector.japi.CassandraJavaUtil;
import com.datastax.spark.connector.japi.rdd.CassandraJavaRDD;
import com.datastax.spark.connector.rdd.reader.RowReader;
import com.datastax.spark.connector.rdd.reader.RowReaderFactory;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import scala.Option;
import scala.collection.IndexedSeq;

/**
 * Reads rows of a Cassandra table in raw form: moments and times in microseconds, days since 1970, decimals and UUIDs
 * as texts.  The connector's own frames have 18 digits behind the point of each decimal, and moments before 1582 in
 * another calendar.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class ReadRows implements RowReaderFactory, RowReader, Serializable {

    private final String[] names;

    private ReadRows(String[] names) {
        this.names = names;
    }

    /**
     * @param configuration says how the connector reaches the nodes
     * @param names of the columns
     */
    public static JavaRDD of(
        SparkContext context, SparkConf configuration, String keyspace, String table, List names
    ) {
        String[] columns = new String[names.size()];
        for (int i = 0; i < columns.length; i++) columns[i] = (String) names.get(i);
        CassandraJavaRDD rows = CassandraJavaUtil.javaFunctions(context)
            .cassandraTable(keyspace, table, new ReadRows(columns));
        rows = rows.withConnector(CassandraConnector.apply(configuration));
        return rows.select(columns);
    }

    public RowReader rowReader(TableDef table, IndexedSeq selected) {
        return this;
    }

    public Class targetClass() {
        return Row.class;
    }

    public Option neededColumns() {
        return Option.empty();
    }

    public Object read(com.datastax.oss.driver.api.core.cql.Row row, CassandraRowMetadata metadata) {
        Object[] values = new Object[this.names.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = ReadRows.raw(row.getObject(CqlIdentifier.fromInternal(this.names[i])));
        }
        return RowFactory.create(values);
    }

    private static Object raw(Object value) {
        if (value instanceof Instant) return Long.valueOf(Math.multiplyExact(((Instant) value).toEpochMilli(), 1000L));
        if (value instanceof LocalDate) return Integer.valueOf(Math.toIntExact(((LocalDate) value).toEpochDay()));
        if (value instanceof LocalTime) return Long.valueOf(((LocalTime) value).toNanoOfDay() / 1000L);
        if (value instanceof BigDecimal) return ((BigDecimal) value).toPlainString();
        if (value instanceof UUID) return value.toString();
        if (value instanceof ByteBuffer) {
            ByteBuffer bytes = (ByteBuffer) ((ByteBuffer) value).duplicate();
            byte[] some = new byte[bytes.remaining()];
            bytes.get(some);
            return some;
        }
        return value;
    }
}

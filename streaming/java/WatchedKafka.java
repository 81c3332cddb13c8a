package datacontracts;

import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.kafka010.KafkaSourceOffset;
import org.apache.spark.sql.kafka010.KafkaSourceProvider;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * Spark's Kafka source, but queries that wait for records share one watch of all their topics' ends.
 *
 * Spark's own source asks Kafka for each query by itself, again and again while nothing comes.  Here a query asks once;
 * if there is nothing new, it waits until the watch sees another end of one of its partitions, and asks again.  It
 * also asks again after a while, because a topic may have got more partitions, and when the watch cannot ask.  All
 * else, offsets and checkpoints included, is Spark's.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class WatchedKafka extends KafkaSourceProvider {

    private static final long ASK_AGAIN_AFTER_MS = 30000;

    public Table getTable(StructType schema, Transform[] partitioning, Map options) {
        return (Table) Watched.of(super.getTable(schema, partitioning, options), null);
    }

    /** Stands before a table, then its scan builder, its scan, and its stream, and changes only `latestOffset`. */
    private static final class Watched implements InvocationHandler {

        private final Object behind;
        private final Watch watch;
        // Set by a query that ends with what is there: it does not wait.
        private boolean ends = false;

        private Watched(Object behind, Watch watch) {
            this.behind = behind;
            this.watch = watch;
        }

        static Object of(Object behind, Watch watch) {
            HashSet types = new HashSet();
            for (Class one = behind.getClass(); one != null; one = one.getSuperclass()) Watched.add(one, types);
            Class[] all = (Class[]) types.toArray(new Class[types.size()]);
            return Proxy.newProxyInstance(WatchedKafka.class.getClassLoader(), all, new Watched(behind, watch));
        }

        private static void add(Class one, HashSet types) {
            Class[] its = one.getInterfaces();
            for (int i = 0; i < its.length; i++) types.add(its[i]);
        }

        public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            String name = method.getName();
            Object found = this.call(method, arguments);
            if (name.equals("newScanBuilder")) {
                return Watched.of(found, Watch.of((CaseInsensitiveStringMap) arguments[0]));
            }
            if (name.equals("build") || name.equals("toMicroBatchStream")) return Watched.of(found, this.watch);
            if (name.equals("prepareForTriggerAvailableNow")) this.ends = true;
            if (!name.equals("latestOffset") || arguments == null || this.ends) return found;
            if (found == null || !found.equals(arguments[0])) return found;
            try {
                this.watch.await((KafkaSourceOffset) found, ASK_AGAIN_AFTER_MS);
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
                return found;
            }
            return this.call(method, arguments);
        }

        private Object call(Method method, Object[] arguments) throws Throwable {
            try {
                return method.invoke(this.behind, arguments);
            } catch (InvocationTargetException wrapped) {
                throw Watched.declared(wrapped.getCause());
            }
        }

        // Spark's source is written in Scala, which declares no exceptions; a proxy may throw only declared ones.
        private static Throwable declared(Throwable thrown) {
            if (thrown instanceof RuntimeException || thrown instanceof Error) return thrown;
            for (Throwable one = thrown; one != null; one = one.getCause()) {
                if (one instanceof InterruptedException) {
                    // Spark stops a query so, and has to know it again.
                    return new UncheckedIOException(new InterruptedIOException(one.getMessage()));
                }
            }
            return new RuntimeException(thrown.getMessage(), thrown);
        }
    }

    /**
     * Asks a cluster for the ends of all partitions for which queries wait, in a thread of its own.
     *
     * Janino makes private methods static, and forgets that they are synchronized; so there are none here.
     */
    private static final class Watch implements Runnable {

        private static final long EVERY_MS = 200;
        private static final long ANSWERS_WITHIN_MS = 10000;
        // Looks without a query that waits, before the thread and its connection end.
        private static final int ENDS_AFTER = 300;
        // Configuration of the client -> its watch.
        private static final HashMap WATCHES = new HashMap();

        private final Map configuration;
        private final ArrayList waiting = new ArrayList();
        private Thread thread;

        private Watch(Map configuration) {
            this.configuration = configuration;
        }

        static Watch of(CaseInsensitiveStringMap options) {
            HashMap configuration = new HashMap();
            Iterator all = options.asCaseSensitiveMap().entrySet().iterator();
            while (all.hasNext()) {
                Map.Entry one = (Map.Entry) all.next();
                String name = (String) one.getKey();
                if (name.startsWith("kafka.")) configuration.put(name.substring("kafka.".length()), one.getValue());
            }
            synchronized (WATCHES) {
                Watch watch = (Watch) WATCHES.get(configuration);
                if (watch == null) {
                    watch = new Watch(configuration);
                    WATCHES.put(configuration, watch);
                }
                return watch;
            }
        }

        /** Waits until a partition does not end where `offsets` says, or for that long. */
        void await(KafkaSourceOffset offsets, long atMostMs) throws InterruptedException {
            Waiter waiter = new Waiter(offsets);
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(atMostMs);
            synchronized (this) {
                this.begin();
                this.waiting.add(waiter);
                try {
                    while (!waiter.ready) {
                        long left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
                        if (left <= 0) return;
                        this.wait(left);
                    }
                } finally {
                    this.waiting.remove(waiter);
                }
            }
        }

        // Whoever calls it has the lock.
        void begin() {
            if (this.thread != null && this.thread.isAlive()) return;
            this.thread = new Thread(this, "offset-watch");
            this.thread.setDaemon(true);
            this.thread.start();
        }

        public void run() {
            AdminClient client = null;
            try {
                int idle = 0;
                while (true) {
                    Thread.sleep(EVERY_MS);
                    HashMap asked = this.asked();
                    idle = asked.isEmpty() ? idle + 1 : 0;
                    if (idle > ENDS_AFTER && this.end()) return;
                    if (idle > 0) continue;
                    Map ends = null;
                    try {
                        if (client == null) client = AdminClient.create(this.configuration);
                        ends = Watch.ends(client, asked);
                    } catch (ExecutionException failed) {
                        // Each query asks by itself, and says what fails.
                    } catch (TimeoutException failed) {
                    } catch (KafkaException failed) {
                    }
                    this.tell(ends);
                }
            } catch (InterruptedException asked) {
                // Nobody asks it to end but Java itself, at its own end.
            } finally {
                if (client != null) client.close(Duration.ZERO);
            }
        }

        /** Ends the watch, unless a query has come to wait. */
        boolean end() {
            synchronized (this) {
                if (!this.waiting.isEmpty()) return false;
                this.thread = null;
                return true;
            }
        }

        private static Map ends(AdminClient client, HashMap asked)
                throws InterruptedException, ExecutionException, TimeoutException {
            ListOffsetsOptions options = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
            ListOffsetsResult answer = client.listOffsets(asked, options);
            return (Map) answer.all().get(ANSWERS_WITHIN_MS, TimeUnit.MILLISECONDS);
        }

        /** Returns the partitions for which queries wait. */
        HashMap asked() {
            HashMap asked = new HashMap();
            synchronized (this) {
                for (int i = 0; i < this.waiting.size(); i++) {
                    Iterator partitions = ((Waiter) this.waiting.get(i)).offsets.keySet().iterator();
                    while (partitions.hasNext()) asked.put(partitions.next(), OffsetSpec.latest());
                }
            }
            return asked;
        }

        /** Wakes the queries whose partitions have other ends; null: all, because nobody knows. */
        void tell(Map ends) {
            synchronized (this) {
                for (int i = 0; i < this.waiting.size(); i++) {
                    Waiter one = (Waiter) this.waiting.get(i);
                    if (ends == null || one.differs(ends)) one.ready = true;
                }
                this.notifyAll();
            }
        }
    }

    /** A query that waits. */
    private static final class Waiter {

        // Partition -> the offset that it has read up to.
        final Map offsets;
        boolean ready = false;

        Waiter(KafkaSourceOffset offsets) {
            this.offsets = (Map) scala.collection.JavaConverters.mapAsJavaMapConverter(
                offsets.partitionToOffsets()).asJava();
        }

        boolean differs(Map ends) {
            Iterator all = this.offsets.entrySet().iterator();
            while (all.hasNext()) {
                Map.Entry one = (Map.Entry) all.next();
                ListOffsetsResult.ListOffsetsResultInfo end =
                    (ListOffsetsResult.ListOffsetsResultInfo) ends.get((TopicPartition) one.getKey());
                if (end != null && end.offset() != ((Long) one.getValue()).longValue()) return true;
            }
            return false;
        }
    }
}

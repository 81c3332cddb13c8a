package datacontracts;

import java.io.Serializable;

import org.apache.spark.Dependency;
import org.apache.spark.Partition;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;

/**
 * The rows of one batch after another, in one partition, so that a plan on top of them is made once.
 *
 * Spark keeps the partitions of an RDD after the first look at them, so there is one, which changes with the batch.
 * A task gets both as they are when its job begins.
 *
 * Spark's own Janino compiles it when a session starts (streaming/decode/compiled.py), so it is Java without generics.
 */
public final class CurrentBatch extends RDD {

    private final Whole whole = new Whole();
    private RDD rows;

    public CurrentBatch(SparkContext context) {
        super(
            context,
            scala.collection.immutable.Nil$.MODULE$,
            scala.reflect.ClassTag$.MODULE$.apply(InternalRow.class)
        );
    }

    /** Takes the rows of another batch.  No job may be reading those of the last one. */
    public void set(RDD batch) {
        RDD one = batch.toJavaRDD().coalesce(1).rdd();
        CurrentBatch.learn(one);
        this.whole.part = one.partitions()[0];
        this.rows = one;
    }

    // An RDD takes to a task only the dependencies that it was asked for.  Spark's scheduler asks those that it knows.
    private static void learn(RDD rdd) {
        scala.collection.Seq parents = rdd.dependencies();
        for (int number = 0; number < parents.size(); number++) {
            CurrentBatch.learn(((Dependency) parents.apply(number)).rdd());
        }
    }

    /** Forgets the batch. */
    public void clear() {
        this.whole.part = null;
        this.rows = null;
    }

    public Partition[] getPartitions() {
        return new Partition[] {this.whole};
    }

    public scala.collection.Iterator compute(Partition split, TaskContext context) {
        return this.rows.iterator(((Whole) split).part, context);
    }

    public static final class Whole implements Partition, Serializable {

        Partition part;

        public int index() {
            return 0;
        }

        public int hashCode() {
            return 0;
        }

        public boolean equals(Object other) {
            return this == other;
        }

        // What Scala's compiler adds to the trait.
        public boolean org$apache$spark$Partition$$super$equals(Object other) {
            return this == other;
        }
    }
}

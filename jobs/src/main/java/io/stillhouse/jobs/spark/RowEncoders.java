package io.stillhouse.jobs.spark;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import scala.Option;

/** Creates encoders for rows that a function computes from the rows of a table. */
public final class RowEncoders {
  private RowEncoders() {}

  /**
   * Returns an encoder for values of the types that the rows of a table have. The table's session
   * determines whether a date is a {@code java.time.LocalDate}, but Spark's own method reads this
   * setting from the active session.
   */
  public static Encoder<Row> of(Dataset<?> table, StructType schema) {
    Option<SparkSession> active = SparkSession.getActiveSession();
    SparkSession.setActiveSession(table.sparkSession());
    try {
      return Encoders.row(schema);
    } finally {
      if (active.isDefined()) {
        SparkSession.setActiveSession(active.get());
      } else {
        SparkSession.clearActiveSession();
      }
    }
  }
}

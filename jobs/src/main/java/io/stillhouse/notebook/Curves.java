package io.stillhouse.notebook;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Reads {@code metrics.jsonl} of students, thinned for charts. */
final class Curves {
  private static final String FILE = "metrics.jsonl";
  private static final int MAX_POINTS = 100;

  /** What a line says about the step itself. */
  private static final Set<String> STEP =
      Set.of("step", "steps", "time", "tokens", "tokens-seen", "seconds", "wait-seconds");

  private Curves() {}

  private static final class Mean {
    private double sum;
    private int count;

    void add(double value) {
      sum += value;
      count++;
    }
  }

  static Dataset<Row> read(SparkSession spark, Storage storage, Map<String, Path> students)
      throws IOException {
    List<Row> rows = new ArrayList<>();
    for (Map.Entry<String, Path> student : students.entrySet()) {
      Path file = new Path(student.getValue(), FILE);
      if (storage.exists(file)) {
        List<String> lines = storage.readText(file).lines().toList();
        add(student.getKey(), lines, rows);
      }
    }
    return spark.createDataFrame(
        rows,
        new StructType()
            .add("student", DataTypes.StringType, false)
            .add("step", DataTypes.LongType, false)
            .add("tokens", DataTypes.LongType, false)
            .add("measure", DataTypes.StringType, false)
            .add("value", DataTypes.DoubleType, false));
  }

  private static void add(String student, List<String> lines, List<Row> to) {
    Map<String, Mean> means = new TreeMap<>();
    long tokens = 0;
    int points = Math.min(MAX_POINTS, lines.size());
    for (int n = 0; n < lines.size(); n++) {
      JsonObject line = Storage.JSON.fromJson(lines.get(n), JsonObject.class);
      tokens += line.has("tokens") ? line.get("tokens").getAsLong() : 0;
      for (Map.Entry<String, JsonElement> each : line.entrySet()) {
        if (!STEP.contains(each.getKey())) {
          means
              .computeIfAbsent(each.getKey(), any -> new Mean())
              .add(each.getValue().getAsDouble());
        }
      }
      boolean ends = (long) (n + 1) * points / lines.size() > (long) n * points / lines.size();
      if (ends) {
        long step = line.get("step").getAsLong();
        for (Map.Entry<String, Mean> each : means.entrySet()) {
          double mean = each.getValue().sum / each.getValue().count;
          to.add(RowFactory.create(student, step, tokens, each.getKey(), mean));
        }
        means.clear();
      }
    }
  }
}

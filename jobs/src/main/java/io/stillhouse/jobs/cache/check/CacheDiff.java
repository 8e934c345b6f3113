package io.stillhouse.jobs.cache.check;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.codec.CellNumbers;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** Compares two caches, or two directories of students. */
public final class CacheDiff {
  /** Norm of the difference divided by the norm of the reference, per tensor column or weight. */
  private static final double TOLERANCE = 1e-5;

  private static final double MIN_NORM = 1e-30;

  private CacheDiff() {}

  /**
   * The result of a comparison.
   *
   * @param words a line for a terminal
   */
  public record Result(Equality verdict, String words) {
    public boolean equal() {
      return verdict == Equality.EQUAL;
    }
  }

  /** Whether two things are equal within the tolerance. */
  public enum Equality {
    EQUAL,
    DIFFERENT
  }

  /** Compares row keys, which must be identical, and every tensor, which may differ by rounding. */
  public static Result compare(String a, String b) throws IOException {
    Storage storage = Storage.ofThisProcess();
    Path first = storage.requireExisting("A", a);
    Path second = storage.requireExisting("B", b);
    return storage.exists(new Path(first, CachePlan.FILE))
        ? caches(storage, first, second)
        : students(storage, first, second);
  }

  private static Result caches(Storage storage, Path a, Path b) throws IOException {
    Map<String, List<Column>> columns = columns(storage, a);
    if (!columns.equals(columns(storage, b))) {
      return new Result(
          Equality.DIFFERENT, format("columns differ: %s and %s", columns, columns(storage, b)));
    }
    Set<String> keys = new HashSet<>();
    Differences differences = new Differences();
    for (Map.Entry<String, List<Column>> teacher : columns.entrySet()) {
      String name = teacher.getKey();
      CacheReader first = CacheReader.open(storage, a, name, teacher.getValue());
      CacheReader second = CacheReader.open(storage, b, name, teacher.getValue());
      Map<String, Example> rows = new HashMap<>();
      for (int shard = 0; shard < second.shardRows().size(); shard++) {
        second.read(shard).forEach(row -> requireUnique(rows.put(row.id(), row) == null, row, b));
      }
      Set<String> ids = new HashSet<>();
      for (int shard = 0; shard < first.shardRows().size(); shard++) {
        for (Example row : first.read(shard)) {
          requireUnique(ids.add(row.id()), row, a);
          Example other = rows.get(row.id());
          if (other != null) {
            requireSameInputs(row, other);
            for (Column column : teacher.getValue()) {
              differences.add(
                  VerifyJob.labelled(name, column.name()),
                  CellNumbers.of(row, column),
                  CellNumbers.of(other, column));
            }
          }
        }
      }
      if (!ids.equals(rows.keySet())) {
        return new Result(
            Equality.DIFFERENT,
            format("row keys differ: %d rows in '%s', %d in '%s'", ids.size(), a, rows.size(), b));
      }
      keys.addAll(ids);
    }
    return differences.result(format("%,d identical row keys", keys.size()));
  }

  /** Returns the tensor columns of each teacher, the first of which has the name "". */
  private static Map<String, List<Column>> columns(Storage storage, Path cache) throws IOException {
    ManifestLog manifest = ManifestLog.read(storage, cache);
    Map<String, List<Column>> columns = new TreeMap<>();
    for (String teacher : manifest.state().allTeachers()) {
      columns.put(teacher, manifest.state().columns(teacher).stream().map(Targets::named).toList());
    }
    return columns;
  }

  private static void requireUnique(boolean unique, Example row, Path cache) {
    if (!unique) {
      throw Errors.invalid(
          format("row '%s' is in cache '%s' twice", row.id(), cache),
          "build another cache: the plan of this one is damaged");
    }
  }

  private static void requireSameInputs(Example row, Example other) {
    if (!Arrays.equals(row.inputs().inputIds(), other.inputs().inputIds())) {
      throw Errors.invalid(
          format("row '%s' has different token ids in the two caches", row.id()),
          "build them from the same corpus and recipe");
    }
  }

  private static Result students(Storage storage, Path a, Path b) throws IOException {
    Differences differences = new Differences();
    List<Path> models = models(storage, a);
    List<Path> others = models(storage, b);
    if (!models.equals(List.of(a)) && !names(models).equals(names(others))) {
      return new Result(
          Equality.DIFFERENT, format("models differ: %s and %s", names(models), names(others)));
    }
    for (Path model : models) {
      Path other = model.equals(a) ? b : new Path(b, model.getName());
      ModelDirectory first = ModelDirectory.open(storage.local(model));
      ModelDirectory second = ModelDirectory.open(storage.local(other));
      if (!first.spec().equals(second.spec())) {
        return new Result(
            Equality.DIFFERENT, format("'%s' and '%s' differ in shape", model, other));
      }
      try (NDManager manager = Devices.cpu()) {
        Map<String, NDArray> weights = second.weights(manager);
        first
            .weights(manager)
            .forEach(
                (name, weight) ->
                    differences.add(
                        model.getName() + "/" + name,
                        doubles(weight),
                        doubles(Objects.requireNonNull(weights.get(name), name))));
      }
    }
    return differences.result(format("%d models", models.size()));
  }

  /** Returns the directory itself if it holds a model, or else the models in it. */
  private static List<Path> models(Storage storage, Path path) throws IOException {
    if (storage.exists(new Path(path, "config.json"))) {
      return List.of(path);
    }
    List<Path> models =
        Arrays.stream(storage.fileSystem(path).listStatus(path))
            .filter(FileStatus::isDirectory)
            .map(FileStatus::getPath)
            .filter(model -> !model.getName().startsWith("_"))
            .sorted()
            .toList();
    if (models.isEmpty()) {
      throw Errors.invalid(
          format("'%s' holds neither a cache, nor a model, nor directories of models", path),
          "name a cache.path, a model's directory or a train.path");
    }
    return models;
  }

  private static List<String> names(List<Path> models) {
    return models.stream().map(Path::getName).toList();
  }

  private static double[] doubles(NDArray weight) {
    return weight.toType(DataType.FLOAT64, false).toDoubleArray();
  }

  /** Sums of squares by tensor, from which relative differences are computed. */
  private static final class Differences {
    private final Map<String, Squares> byName = new TreeMap<>();

    private static final class Squares {
      private double difference;
      private double reference;

      double relative() {
        double relative =
            difference == 0 ? 0 : Math.sqrt(difference / Math.max(reference, MIN_NORM));
        return Double.isNaN(relative) ? Double.POSITIVE_INFINITY : relative;
      }
    }

    void add(String name, double[] numbers, double[] reference) {
      Squares squares = byName.computeIfAbsent(name, any -> new Squares());
      if (numbers.length != reference.length) {
        squares.difference = Double.POSITIVE_INFINITY;
        return;
      }
      for (int i = 0; i < numbers.length; i++) {
        double difference = numbers[i] - reference[i];
        squares.difference += difference * difference;
        squares.reference += reference[i] * reference[i];
      }
    }

    /**
     * Returns the result.
     *
     * @param compared description of what was already found to be equal
     */
    Result result(String compared) {
      String worst = "nothing";
      double error = 0;
      for (Map.Entry<String, Squares> entry : byName.entrySet()) {
        double relative = entry.getValue().relative();
        if (relative > error) {
          worst = entry.getKey();
          error = relative;
        }
      }
      boolean equal = error <= TOLERANCE;
      return new Result(
          equal ? Equality.EQUAL : Equality.DIFFERENT,
          format(
              "%s, %d tensors, largest relative difference %.1e (%s), %s %.0e",
              compared, byName.size(), error, worst, equal ? "within" : "above", TOLERANCE));
    }
  }
}

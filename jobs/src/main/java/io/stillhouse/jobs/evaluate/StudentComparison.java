package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.evaluate.Calibration;
import io.stillhouse.evaluate.Cka;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The teacher of a cache and some students, compared row by row and layer by layer on rows of the
 * cache. Reports and notebooks read it; {@link Evaluation} has the metrics over all rows.
 *
 * @param head the teacher's head, with the names of the classes
 * @param rows the rows
 * @param teacher the teacher, whose similarities are those of its layers to each other
 * @param students the students, in the given order, without those that are left out
 * @param leftOut the students that do not fit the teacher or whose outputs are not finite, each
 *     with the reason
 */
public record StudentComparison(
    Head head, List<Row> rows, Model teacher, List<Model> students, Map<String, String> leftOut) {
  private static final Logger LOG = LoggerFactory.getLogger(StudentComparison.class);

  /** More rows take time that grows with their square, and hardly change a similarity. */
  private static final int MAX_CKA_ROWS = 1000;

  /**
   * A row.
   *
   * @param pair the second text, or null
   * @param label a class id, a score or a {@link LabelSet}; NaN if there is none
   */
  public record Row(String id, String text, @Nullable String pair, double label) {}

  /**
   * What one model computes for the rows.
   *
   * @param name the student's name, or {@code teacher}
   * @param outputs for each row, the probabilities of the classes or labels, or a score, shape (N,
   *     C); for a masked LM or a model with another head, N empty arrays
   * @param cka linear CKA of the teacher's hidden states, 0..layers, with those of this model,
   *     shape (teacher's, this model's); a row's vector is the mean over its real tokens. A BiLSTM
   *     has one state, the last ones of its texts. Empty if there are too few rows
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Model(String name, double[][] outputs, double[][] cka) {

    /** Returns whether the model has outputs that can be compared with the teacher's. */
    public boolean hasOutputs() {
      return outputs.length > 0 && outputs[0].length > 0;
    }

    /** Returns the most probable class of a row, or the first of several equal ones. */
    public int predictedClass(int row) {
      int best = 0;
      for (int c = 1; c < outputs[row].length; c++) {
        best = outputs[row][c] > outputs[row][best] ? c : best;
      }
      return best;
    }
  }

  /**
   * A row for which a student differs from its teacher.
   *
   * @param distance total variation distance of two distributions over classes, mean absolute
   *     difference of the probabilities of labels, or absolute difference of two scores
   * @param teacher the teacher's probabilities or score
   * @param student the student's probabilities or score
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Difference(Row row, double distance, double[] teacher, double[] student) {}

  public StudentComparison {
    rows = List.copyOf(rows);
    students = List.copyOf(students);
    leftOut = new LinkedHashMap<>(leftOut);
  }

  /**
   * Runs the cache's first teacher and students on rows of the cache, on the CPU of this process.
   *
   * @param cache a complete cache, such as that of the held-out rows; its rows are shuffled
   * @param students directories of students, by name
   * @param maxRows number of rows that are read at most
   * @throws io.stillhouse.error.StillhouseException if the cache is not complete, or a directory is
   *     not a model
   */
  public static StudentComparison of(
      Storage storage, Path cache, Map<String, Path> students, int maxRows) throws IOException {
    List<InputRow> rows = rows(CacheReader.open(storage, cache, List.of()), maxRows);
    HuggingFaceDirectory teacher = CacheReader.teacher(storage, cache);
    LOG.info("Comparing {} students with their teacher on {} rows", students.size(), rows.size());
    ModelOutputs own = ModelOutputs.of(teacher, rows);
    List<Model> models = new ArrayList<>();
    Map<String, String> leftOut = new LinkedHashMap<>();
    for (Map.Entry<String, Path> each : students.entrySet()) {
      ModelDirectory student = ModelDirectory.open(Models.copy(each.getValue().toString()));
      Optional<String> misfit = misfit(student.spec(), teacher.spec(), rows);
      if (misfit.isPresent()) {
        leftOut.put(each.getKey(), misfit.get());
        continue;
      }
      ModelOutputs outputs = ModelOutputs.of(student, rows);
      if (outputs.notFinite() > 0) {
        leftOut.put(
            each.getKey(), format("its output is not finite for %d rows", outputs.notFinite()));
        continue;
      }
      models.add(model(each.getKey(), outputs, own));
    }
    return new StudentComparison(
        teacher.spec().head(),
        rows.stream().map(StudentComparison::row).toList(),
        model("teacher", own, own),
        models,
        leftOut);
  }

  private static List<InputRow> rows(CacheReader reader, int maxRows) throws IOException {
    List<InputRow> rows = new ArrayList<>();
    for (int shard = 0; shard < reader.plan().shards().size() && rows.size() < maxRows; shard++) {
      rows.addAll(reader.inputs(shard));
    }
    return List.copyOf(rows.subList(0, Math.min(maxRows, rows.size())));
  }

  /** Returns why a student cannot read the teacher's rows; empty if it can. */
  private static Optional<String> misfit(
      ModelSpec student, ModelSpec teacher, List<InputRow> rows) {
    int longest = rows.stream().mapToInt(InputRow::length).max().orElse(0);
    if (student.vocabSize() != teacher.vocabSize()) {
      return Optional.of(
          format(
              "its vocabulary has %,d tokens, the teacher's %,d",
              student.vocabSize(), teacher.vocabSize()));
    }
    if (student.maxTokens() < longest) {
      return Optional.of(
          format("it reads %,d tokens, but a row has %,d", student.maxTokens(), longest));
    }
    return Optional.empty();
  }

  private static Row row(InputRow row) {
    return new Row(
        row.id(), row.text(), row.pair(), row.label() == null ? Double.NaN : row.label());
  }

  private static Model model(String name, ModelOutputs outputs, ModelOutputs teacher) {
    boolean comparable =
        outputs.head().task() == teacher.head().task()
            && outputs.head().outputs() == teacher.head().outputs();
    double[][] none = new double[outputs.probabilities().length][0];
    int rows = Math.min(MAX_CKA_ROWS, outputs.probabilities().length);
    double[][] cka =
        rows < Cka.MIN_ROWS
            ? new double[0][0]
            : Cka.between(teacher.layers(rows), outputs.layers(rows));
    return new Model(name, comparable ? outputs.probabilities() : none, cka);
  }

  /**
   * Returns the student of a name.
   *
   * @throws IllegalArgumentException if there is none
   */
  Model student(String name) {
    return students.stream()
        .filter(student -> student.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(format("there is no student '%s'", name)));
  }

  /** Returns the rows that have a label. */
  private int[] labelled() {
    return IntStream.range(0, rows.size())
        .filter(row -> !Double.isNaN(rows.get(row).label()))
        .toArray();
  }

  /**
   * Returns how well the probabilities of a model match the labels: for classes, the probability of
   * the predicted class; for several labels, the probability of each. Empty for scores, masked LMs
   * and rows without labels.
   */
  public Optional<Calibration> calibration(Model model) {
    int[] labelled = labelled();
    if (labelled.length == 0 || !model.hasOutputs()) {
      return Optional.empty();
    }
    return switch (head.task()) {
      case CLASSIFICATION -> Optional.of(ofClasses(model, labelled));
      case MULTI_LABEL -> Optional.of(ofLabels(model, labelled));
      case REGRESSION, MASKED_LM, NONE -> Optional.empty();
    };
  }

  private Calibration ofClasses(Model model, int[] labelled) {
    double[] probabilities = new double[labelled.length];
    boolean[] right = new boolean[labelled.length];
    for (int i = 0; i < labelled.length; i++) {
      int predicted = model.predictedClass(labelled[i]);
      probabilities[i] = model.outputs()[labelled[i]][predicted];
      right[i] = predicted == rows.get(labelled[i]).label();
    }
    return Calibration.of(probabilities, right, Calibration.BINS);
  }

  private Calibration ofLabels(Model model, int[] labelled) {
    int labels = head.outputs();
    double[] probabilities = new double[labelled.length * labels];
    boolean[] set = new boolean[probabilities.length];
    for (int i = 0; i < labelled.length; i++) {
      double[] own = LabelSet.numbers(rows.get(labelled[i]).label(), labels);
      for (int label = 0; label < labels; label++) {
        probabilities[i * labels + label] = model.outputs()[labelled[i]][label];
        set[i * labels + label] = own[label] == 1;
      }
    }
    return Calibration.of(probabilities, set, Calibration.BINS);
  }

  /**
   * Counts rows by their label and the class that a model predicts, shape (classes, classes); empty
   * for other tasks and rows without labels.
   */
  public long[][] confusion(Model model) {
    int[] labelled = labelled();
    if (head.task() != Task.CLASSIFICATION || labelled.length == 0 || !model.hasOutputs()) {
      return new long[0][0];
    }
    long[][] counts = new long[head.outputs()][head.outputs()];
    for (int row : labelled) {
      counts[(int) rows.get(row).label()][model.predictedClass(row)]++;
    }
    return counts;
  }

  /**
   * Counts rows by the classes that the teacher and a student predict, shape (classes, classes);
   * empty for other tasks.
   */
  public long[][] agreement(Model student) {
    if (head.task() != Task.CLASSIFICATION || !student.hasOutputs()) {
      return new long[0][0];
    }
    long[][] counts = new long[head.outputs()][head.outputs()];
    for (int row = 0; row < rows.size(); row++) {
      counts[teacher.predictedClass(row)][student.predictedClass(row)]++;
    }
    return counts;
  }

  /**
   * Returns the rows for which a student differs most from its teacher, the largest distance first;
   * none if the model has no outputs.
   *
   * @param count number of rows
   */
  public List<Difference> mostDifferent(Model student, int count) {
    if (!student.hasOutputs() || !teacher.hasOutputs()) {
      return List.of();
    }
    return IntStream.range(0, rows.size())
        .mapToObj(row -> difference(student, row))
        .sorted(Comparator.comparingDouble(each -> -each.distance()))
        .limit(count)
        .toList();
  }

  private Difference difference(Model student, int row) {
    double[] p = teacher.outputs()[row];
    double[] q = student.outputs()[row];
    double sum = 0;
    for (int c = 0; c < p.length; c++) {
      sum += Math.abs(p[c] - q[c]);
    }
    double distance = head.task() == Task.CLASSIFICATION ? sum / 2 : sum / p.length;
    return new Difference(rows.get(row), distance, p, q);
  }
}

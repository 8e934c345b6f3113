package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.CellNumbers;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.evaluate.Predictions;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Metric;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Measures a student on rows that it is not trained on. Only the targets of its first teacher are
 * used, even if it has several.
 */
public final class Validation {
  private final Trainer.Setup setup;
  private final TargetSource source;
  private @Nullable Counts counts;

  public Validation(Trainer.Setup setup, TargetSource source) {
    this.setup = setup;
    this.source = source;
  }

  /**
   * The result of a measurement.
   *
   * @param terms the unweighted mean of each term over all rows, computed without dropout
   * @param metrics by name: the metrics of the task if all rows have labels; {@code agreement} with
   *     the teacher (see {@link Predictions#agreement}) if all rows have the teacher's logits
   */
  public record Measured(Map<Term, Double> terms, Map<String, Double> metrics) {}

  /**
   * Measures weights.
   *
   * @param manager parent of temporary managers; owns no new arrays afterwards
   * @param weights every tensor of the student and its projections
   * @param teacher computes the targets that are not stored
   */
  public Measured measure(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    Autograd.threads(setup.train().run().threads());
    Predictor student = ModelFactory.predictor(setup.student(), weights);
    DistillLoss loss = new DistillLoss(setup.loss(), student, weights);
    Capture capture = Capture.of(setup.loss());
    int shards = source.shardRows().size();
    if (counts == null) {
      Counts all = Counts.of(List.of());
      for (int shard = 0; shard < shards; shard++) {
        all = all.plus(Counts.of(source.read(shard)));
      }
      counts = all;
    }
    List<float[]> logits = new ArrayList<>();
    List<Double> labels = new ArrayList<>();
    List<float[]> teachers = new ArrayList<>();
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    for (int shard = 0; shard < shards; shard++) {
      List<Example> rows = source.read(shard);
      for (List<Example> part :
          MicroBatches.split(
              rows,
              Example::length,
              setup.train().microBatchTokens(),
              MicroBatches.Phase.INFERENCE)) {
        try (NDManager scope = manager.newSubManager()) {
          TargetBatch targets = new TargetBatch(scope, part, teacher);
          EncoderOutput output = student.forward(targets.batch(), capture);
          loss.of(output, targets, counts)
              .terms()
              .forEach((term, share) -> terms.merge(term, share, Double::sum));
          NDArray logitsBC = output.logits();
          if (logitsBC != null) {
            float[] flat = logitsBC.toFloatArray();
            int classes = flat.length / part.size();
            for (int row = 0; row < part.size(); row++) {
              logits.add(Arrays.copyOfRange(flat, row * classes, (row + 1) * classes));
              labels.add(part.get(row).inputs().label());
              if (part.get(row).has(Targets.LOGITS)) {
                teachers.add(teachersLogits(part.get(row)));
              }
            }
          }
        }
      }
    }
    return new Measured(terms, logits.isEmpty() ? Map.of() : metrics(logits, labels, teachers));
  }

  private Map<String, Double> metrics(
      List<float[]> logits, List<Double> labels, List<float[]> teachers) {
    Head head = setup.student().head();
    Predictions student = Predictions.of(head, logits.toArray(float[][]::new));
    Map<String, Double> metrics = new LinkedHashMap<>();
    if (labels.stream().noneMatch(label -> label.isNaN())) {
      Predictions truth =
          Predictions.of(head, labels.stream().mapToDouble(Double::doubleValue).toArray());
      for (Metric metric : Metric.of(head.task())) {
        metrics.put(metric.id(), student.metric(metric, truth));
      }
    }
    if (teachers.size() == logits.size()) {
      Predictions teacher = Predictions.of(head, teachers.toArray(float[][]::new));
      metrics.put("agreement", student.agreement(teacher));
    }
    return metrics;
  }

  private static float[] teachersLogits(Example row) {
    double[] numbers = CellNumbers.of(row, Targets.LOGITS);
    float[] logits = new float[numbers.length];
    for (int c = 0; c < logits.length; c++) {
      logits[c] = (float) numbers[c];
    }
    return logits;
  }
}

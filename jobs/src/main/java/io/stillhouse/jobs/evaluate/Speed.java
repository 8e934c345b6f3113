package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.evaluate.Flops;
import io.stillhouse.evaluate.InterleavedBenchmark;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/**
 * Size and speed of a model.
 *
 * @param model its name; for students that differ only in their seed, one of which is measured,
 *     their shared name
 * @param parameters number of parameters
 * @param device {@code cpu} or {@code gpu}
 * @param threads number of libtorch threads on a CPU
 * @param passes one for each number of tokens and batch size, the same for all models
 */
public record Speed(String model, long parameters, String device, int threads, List<Pass> passes)
    implements Serializable {

  /**
   * Forward passes of one shape.
   *
   * @param tokens tokens per sentence
   * @param batch sentences per pass
   * @param flops FLOPs per sentence, as counted by {@link Flops}
   * @param sentencesPerSecond median over several turns
   * @param timesTeacher median ratio to the teacher's speed in the same turn
   * @param p50 median time of a pass, in milliseconds
   * @param p95 the time that 95 % of the passes do not exceed, in milliseconds
   */
  public record Pass(
      int tokens,
      int batch,
      long flops,
      double sentencesPerSecond,
      double timesTeacher,
      double p50,
      double p95)
      implements Serializable {

    static Pass of(int tokens, int batch, long flops, InterleavedBenchmark.Rate rate) {
      return new Pass(
          tokens,
          batch,
          flops,
          batch * rate.perSecond(),
          rate.timesFirst(),
          1000 * rate.p50(),
          1000 * rate.p95());
    }
  }

  /**
   * Returns the columns of the latency of one sentence and of the throughput, at the shortest
   * length; none if nothing was measured.
   */
  public static List<String> heads(List<Speed> models) {
    if (models.isEmpty()) {
      return List.of();
    }
    Speed first = models.get(0);
    return List.of(
        format("ms 1 x %d (p95)", first.fewest().tokens()),
        format("per s %d x %d", first.most().batch(), first.most().tokens()));
  }

  /** Returns the cells of these columns for a model, which are empty if it was not measured. */
  public static List<String> cells(List<Speed> models, String name) {
    if (models.isEmpty()) {
      return List.of();
    }
    return models.stream()
        .filter(speed -> speed.model().equals(name))
        .findFirst()
        .map(
            speed ->
                List.of(
                    format("%.2f (%.2f)", speed.fewest().p50(), speed.fewest().p95()),
                    format("%,.1f", speed.most().sentencesPerSecond())))
        .orElse(List.of("", ""));
  }

  /** Returns the pass of the smallest batch of the shortest sentences. */
  private Pass fewest() {
    return Collections.min(
        passes, Comparator.comparingInt(Pass::tokens).thenComparingInt(Pass::batch));
  }

  /** Returns the pass of the largest batch of the shortest sentences. */
  private Pass most() {
    return Collections.min(
        passes,
        Comparator.comparingInt(Pass::tokens)
            .thenComparing(Pass::batch, Comparator.reverseOrder()));
  }

  /** Returns a table for the console; empty if there are no models. */
  static String table(List<Speed> models) {
    if (models.isEmpty()) {
      return "";
    }
    Speed first = models.get(0);
    List<String> heads = new ArrayList<>(List.of("model", "parameters"));
    lengths(first).forEach(pass -> heads.add(format("MFLOPs of %d", pass.tokens())));
    first.passes().forEach(pass -> heads.add(format("%d x %d", pass.batch(), pass.tokens())));
    List<List<String>> lines = new ArrayList<>(List.of(heads));
    for (Speed model : models) {
      List<String> line =
          new ArrayList<>(List.of(model.model(), format("%,d", model.parameters())));
      lengths(model).forEach(pass -> line.add(format("%,.2f", pass.flops() / 1e6)));
      model
          .passes()
          .forEach(
              pass ->
                  line.add(
                      format("%,.1f (%.2fx)", pass.sentencesPerSecond(), pass.timesTeacher())));
      lines.add(line);
    }
    String on =
        first.device().equals("cpu")
            ? format("cpu with %d thread%s", first.threads(), first.threads() == 1 ? "" : "s")
            : first.device();
    return format(
        "sentences/s on %s (and times the teacher's), by batch x tokens:%n%s",
        on, Evaluation.aligned(lines));
  }

  /** Returns one pass of each length. */
  private static List<Pass> lengths(Speed model) {
    int batch = model.passes().get(0).batch();
    return model.passes().stream().filter(pass -> pass.batch() == batch).toList();
  }
}

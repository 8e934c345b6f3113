package io.stillhouse.loss;

import io.stillhouse.GoldenTargets;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetSource;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Compares losses on partly stored soft labels of a masked LM with PyTorch's. */
class StoredSoftLabelsGoldenTest extends TermGoldens {
  private static final double DRAWN_AT = 1.5;
  private static final int LONGEST = 4;

  @ParameterizedTest
  @EnumSource(Positions.class)
  void topKAndTail(Positions positions) {
    String name = lower(positions);
    long[] ids = longs(name + ".top_ids");
    float[] logits = golden.read(name + ".top_logits").toFloatArray();
    float[] logZ = golden.read(name + ".log_partition").toFloatArray();
    int k = ids.length / logZ.length;
    MlmTargets top = new MlmTargets(MlmTargets.Kind.TOP_K, k, List.of(TEMPERATURE), positions);

    List<Example> rows =
        rows(
            positions,
            (from, to) ->
                Map.of(
                    top.topIds().name(),
                    shorts(Arrays.copyOfRange(ids, from * k, to * k)),
                    top.topLogits().name(),
                    GoldenTargets.bytes(Arrays.copyOfRange(logits, from * k, to * k)),
                    top.logPartition(TEMPERATURE).name(),
                    GoldenTargets.bytes(Arrays.copyOfRange(logZ, from, to))));

    checkSoftLabels("top." + name, rows, top, TEMPERATURE);
  }

  @ParameterizedTest
  @EnumSource(Positions.class)
  void sampledClasses(Positions positions) {
    String name = lower(positions);
    long[] draws = longs(name + ".draws");
    float[] entropy = golden.read(name + ".entropy").toFloatArray();
    int count = draws.length / entropy.length;
    MlmTargets drawn = new MlmTargets(MlmTargets.Kind.SAMPLED, count, List.of(DRAWN_AT), positions);

    List<Example> rows =
        rows(
            positions,
            (from, to) -> {
              ByteArrayOutputStream ids = new ByteArrayOutputStream();
              ByteArrayOutputStream counts = new ByteArrayOutputStream();
              for (int token = from; token < to; token++) {
                long[] own = Arrays.copyOfRange(draws, token * count, (token + 1) * count);
                long[] distinct = Arrays.stream(own).distinct().toArray();
                ids.writeBytes(shorts(distinct));
                for (long id : distinct) {
                  counts.write((int) Arrays.stream(own).filter(draw -> draw == id).count());
                }
              }
              return Map.of(
                  drawn.sampleIds().name(),
                  ids.toByteArray(),
                  drawn.sampleCounts().name(),
                  counts.toByteArray(),
                  drawn.sampleEntropy().name(),
                  GoldenTargets.bytes(Arrays.copyOfRange(entropy, from, to)));
            });

    checkSoftLabels("drawn." + name, rows, drawn, DRAWN_AT);
  }

  private void checkSoftLabels(String mix, List<Example> rows, MlmTargets mlm, double temperature) {
    DistillSpec spec =
        spec(
            MAP,
            new DistillSpec.SoftLabel(1, DistillSpec.Kind.KL, temperature, mlm.positions()),
            0,
            DistillSpec.Hidden.NONE);
    TargetBatch targets = new TargetBatch(manager, rows, new TeacherParts(null, mlm));
    DistillLoss loss = loss(spec, Head.MASKED_LM);
    String logits = "student_vocabulary";

    check(
        mix,
        List.of(logits),
        tensors ->
            loss.of(
                new EncoderOutput(
                    tensors.get(logits), Map.of(), Map.of(), Map.of(), Map.of(), null),
                targets,
                Counts.of(rows)));
  }

  /** Returns rows of a masked LM with the soft labels that {@code cells} makes for each. */
  private List<Example> rows(Positions positions, Cells cells) {
    List<Example> rows = new ArrayList<>();
    long[] labels = longs("labels");
    int from = 0;
    for (Example row : states("", 0, null)) {
      int at = rows.size() * LONGEST;
      int[] own = new int[row.length()];
      int to = from;
      for (int t = 0; t < own.length; t++) {
        own[t] = (int) labels[at + t];
        to += positions == Positions.ALL || own[t] != TargetSource.IGNORED ? 1 : 0;
      }
      Example.Inputs inputs =
          new Example.Inputs(row.inputs().inputIds(), row.inputs().typeIds(), own, Double.NaN);
      rows.add(new Example(row.id(), inputs, Dtype.FLOAT32, cells.of(from, to)));
      from = to;
    }
    return rows;
  }

  /** Makes a row's cells by name, from its range of all tokens' soft labels. */
  private interface Cells {
    Map<String, byte[]> of(int from, int to);
  }

  private static byte[] shorts(long[] ids) {
    ByteBuffer bytes = ByteBuffer.allocate(Short.BYTES * ids.length).order(ByteOrder.LITTLE_ENDIAN);
    for (long id : ids) {
      bytes.putShort((short) id);
    }
    return bytes.array();
  }
}

package io.stillhouse.notebook;

import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.CellNumbers;
import io.stillhouse.evaluate.AttentionMeasures;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The attention of a teacher in the blocks that are looked at. Stored scores are decoded; the
 * cache's copy of the teacher computes all others.
 *
 * @param teacher directory of the teacher
 * @param heads number of heads of a block
 * @param blocks numbers of the blocks, from 1
 */
record AttentionScores(String teacher, int heads, List<Integer> blocks) implements Serializable {

  /** The attention weights of one head for one row, shape (L, L), row-major. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record HeadWeights(int block, int head, double[] weightsLL) {}

  /** Returns the weights of every head of the blocks, block by block. */
  List<HeadWeights> of(InputRow input, Example targets) throws IOException {
    Map<Integer, float[]> scores = new TreeMap<>();
    List<Integer> missing = new ArrayList<>();
    for (int block : blocks) {
      Column column = Targets.attention(block);
      if (targets.has(column)) {
        scores.put(block, CellNumbers.floats(targets, column));
      } else {
        missing.add(block);
      }
    }
    if (!missing.isEmpty()) {
      scores.putAll(computed(input, missing));
    }
    List<HeadWeights> weights = new ArrayList<>();
    int length = input.length();
    scores.forEach(
        (block, scoresHLL) -> {
          for (int head = 0; head < heads; head++) {
            weights.add(
                new HeadWeights(
                    block,
                    head + 1,
                    AttentionMeasures.weights(scoresHLL, head * length * length, length)));
          }
        });
    return weights;
  }

  private Map<Integer, float[]> computed(InputRow input, List<Integer> missing) throws IOException {
    Autograd.record(Autograd.Mode.OFF); // a setting of the thread, which tasks share
    InferenceEncoder encoder = Models.encoder(teacher, Precision.FLOAT32);
    Map<Integer, float[]> scores = new TreeMap<>();
    try (NDManager manager = Devices.manager()) {
      Batch batch = Batch.of(manager, List.of(input.inputIds()), List.of(input.typeIds()));
      EncoderOutput output = encoder.forward(batch, Capture.of(List.of(), missing));
      missing.forEach(block -> scores.put(block, output.scores(block).toFloatArray()));
    }
    return scores;
  }
}

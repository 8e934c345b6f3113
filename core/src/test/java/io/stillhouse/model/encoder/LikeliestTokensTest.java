package io.stillhouse.model.encoder;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LikeliestTokensTest {
  private static final List<int[]> ROWS =
      List.of(new int[] {2, 100, 4, 3}, new int[] {2, 4, 99, 101, 88, 3});
  private static final int[] POSITIONS = {2, 1};

  private final NDManager manager = NDManager.newBaseManager();

  @BeforeEach
  void recordNothing() {
    Autograd.record(Autograd.Mode.OFF);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void returnsAllowedTokensOrderedByLogit() throws IOException {
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    Encoder encoder = new Encoder(directory.spec(), directory.weights(manager));
    boolean[] allowed = new boolean[110]; // of 120 ids
    for (int id = 5; id < allowed.length; id += 2) {
      allowed[id] = true;
    }
    try (InferenceEncoder fast = new InferenceEncoder(encoder, manager, Precision.FLOAT32)) {
      int[][] likeliest = new LikeliestTokens(fast, allowed, 9).of(batch(), POSITIONS);

      for (int row = 0; row < 2; row++) {
        NDArray last = encoder.forward(batch(), Capture.NONE, Dropout.NONE).last();
        float[] logits =
            encoder
                .maskedLmLogits(last.get(format("%d, %d", row, POSITIONS[row])).reshape(1, -1))
                .toFloatArray();
        assertThat(likeliest[row])
            .containsExactly(
                IntStream.range(0, allowed.length)
                    .filter(id -> allowed[id])
                    .boxed()
                    .sorted(Comparator.comparingDouble(id -> -logits[id]))
                    .limit(9)
                    .mapToInt(Integer::intValue)
                    .toArray());
      }
      assertThat(new LikeliestTokens(fast, allowed, 1000).of(batch(), POSITIONS)[1]).hasSize(53);
    }
  }

  private Batch batch() {
    return Batch.of(manager, ROWS, ROWS.stream().map(row -> new int[row.length]).toList());
  }
}

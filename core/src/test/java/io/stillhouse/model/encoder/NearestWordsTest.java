package io.stillhouse.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NearestWordsTest {
  private static final Path MODEL = Golden.DIRECTORY.resolve("bert-tiny-mlm-v1");

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
  void returnsOtherWordsOrderedByCosine() {
    NearestWords nearest =
        NearestWords.ofWords(
            manager,
            List.of("up", "upper", "right", "down", "none"),
            new float[] {0, 2, 1, 9, 5, 1, 0, -1, 0, 0});
    assertThat(nearest.to("up", new int[0], 2)).containsExactly("upper", "right");
    assertThat(nearest.to("up", new int[0], 9)).hasSize(4).endsWith("down");
    assertThat(nearest.to("elsewhere", new int[0], 2)).isEmpty();
  }

  @Test
  void wordOfSeveralPiecesIsTheirCentredMean() throws IOException {
    Encoder encoder;
    List<String> words;
    long[] ids;
    int[] pieces;
    HuggingFaceDirectory directory = HuggingFaceDirectory.open(MODEL);
    encoder = new Encoder(directory.spec(), directory.weights(manager));
    try (Tokenizer tokenizer = Tokenizer.open(MODEL)) {
      ids =
          IntStream.range(0, tokenizer.vocabSize())
              .filter(id -> tokenizer.token(id).matches("[a-z]{2,}"))
              .asLongStream()
              .toArray();
      words = IntStream.range(0, ids.length).mapToObj(i -> tokenizer.token((int) ids[i])).toList();
      pieces = tokenizer.encode(List.of("wed")).get(0).ids();
    }
    assertThat(pieces).hasSizeGreaterThan(1);

    List<String> nearest = NearestWords.ofPieces(encoder, manager, words, ids).to("wed", pieces, 7);

    Map<String, NDArray> weights = directory.weights(manager, List.of(EncoderSpec.WORDS));
    float[] table = weights.values().iterator().next().toFloatArray();
    int width = directory.spec().hiddenSize();
    double[] centre = mean(table, width, ids);
    double[] own = minus(mean(table, width, IntStream.of(pieces).asLongStream().toArray()), centre);
    List<String> expected =
        IntStream.range(0, ids.length)
            .boxed()
            .sorted(
                Comparator.comparingDouble(
                    i -> -cosine(own, minus(mean(table, width, ids[i]), centre))))
            .limit(7)
            .map(words::get)
            .toList();
    assertThat(nearest).isEqualTo(expected);
  }

  private static double[] mean(float[] table, int width, long... rows) {
    double[] mean = new double[width];
    for (long row : rows) {
      for (int d = 0; d < width; d++) {
        mean[d] += table[(int) row * width + d] / (double) rows.length;
      }
    }
    return mean;
  }

  private static double[] minus(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(d -> a[d] - b[d]).toArray();
  }

  private static double cosine(double[] a, double[] b) {
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  private static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(d -> a[d] * b[d]).sum();
  }
}

package io.stillhouse.train;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.zip.CRC32;

/** Initializes the weights of an encoder student. */
public final class StudentInit {
  private static final String TABLES = "bert.embeddings.";
  private static final String POSITIONS = TABLES + "position_embeddings.weight";
  private static final String SEGMENTS = TABLES + "token_type_embeddings.weight";

  /** BERT's initializer_range. */
  private static final double DEVIATION = 0.02;

  private StudentInit() {}

  /**
   * Returns random weights as in Hugging Face's BERT: normal with standard deviation 0.02, biases
   * 0, LayerNorm weights 1.
   *
   * @param seed each tensor depends only on the seed and its own name, so models start with the
   *     same weights in the parts that they have in common
   */
  public static Map<String, NDArray> random(NDManager manager, EncoderSpec spec, long seed) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    spec.parameters()
        .forEach((name, shape) -> weights.put(name, random(manager, name, shape, seed)));
    return weights;
  }

  /**
   * Returns the weights of a saved encoder, with student block b copied from source block {@code
   * blocks.get(b - 1)}. Tensors that the source does not have, such as the head of another task or
   * a pooler, are random.
   *
   * <p>If the architectures differ, the student's embedding output still equals the source's where
   * possible:
   *
   * <ul>
   *   <li>if only the source has segment embeddings, its first one is added to every position
   *       embedding, so that single texts have the same embedding output (DistilBERT's released
   *       extraction omits this); if only the student has them, they are zero;
   *   <li>if only the student maps its embeddings, the mapping is the identity if the embedding
   *       tables are as wide as the hidden states. Otherwise the tables, and the tensors of the
   *       masked-LM head that have the width of the tables, are random unless the source has the
   *       same width;
   *   <li>if the student's blocks share one set of weights, it is copied from the first block in
   *       {@code blocks}.
   * </ul>
   *
   * The pooler is copied even if its activation differs; DistilBERT's uses ReLU.
   *
   * @param source a teacher, or an earlier student
   * @param blocks a source block, from 1, for each student block with its own weights; further
   *     entries are ignored
   * @throws io.stillhouse.error.StillhouseException if a shape differs, the source maps its
   *     embeddings and the student does not, or a weight is not finite
   */
  public static Map<String, NDArray> from(
      NDManager manager,
      EncoderSpec spec,
      HuggingFaceDirectory source,
      List<Integer> blocks,
      long seed) {
    if (source.spec().architecture().mapsEmbeddings()
        && !spec.architecture().mapsEmbeddings()
        && spec.embeddingSize() == source.spec().embeddingSize()) {
      throw Errors.invalid(
          format(
              "%s maps its embeddings to its hidden states, but a student of architecture %s would"
                  + " read them unmapped",
              source.path(), spec.architecture().name().toLowerCase(Locale.ROOT)),
          "set student.architecture=albert, or student.init=random");
    }
    Map<String, String> origin = origin(spec, source, blocks);
    Map<String, NDArray> loaded =
        source.weights(manager, origin.values().stream().distinct().toList());
    requireFinite(source, loaded);
    Map<String, NDArray> weights = new LinkedHashMap<>();
    spec.parameters()
        .forEach(
            (name, shape) -> {
              String from = origin.get(name);
              NDArray weight = from == null ? null : loaded.get(from);
              if (weight == null || name.startsWith("classifier.") && !fits(weight, shape)) {
                weights.put(name, random(manager, name, shape, seed));
                return;
              }
              if (!fits(weight, shape)) {
                throw Errors.invalid(
                    format(
                        "'%s' has shape %s in %s, but %s in the student",
                        from, weight.getShape(), source.path(), Arrays.toString(shape)),
                    "give the student the same widths and vocabulary, or set"
                        + " student.init=random");
              }
              // A block may be copied twice; the student's tensors must be distinct.
              weights.put(name, weights.containsValue(weight) ? weight.duplicate() : weight);
            });
    if (origin.containsKey(EncoderSpec.WORDS)) {
      keepEmbeddingOutput(manager, spec, source, weights);
    }
    return weights;
  }

  private static void requireFinite(HuggingFaceDirectory source, Map<String, NDArray> loaded) {
    loaded.forEach(
        (name, weight) -> {
          try (NDArray magnitudes = weight.abs();
              NDArray largest = magnitudes.max()) { // the maximum of NaN is NaN
            if (!Float.isFinite(largest.getFloat())) {
              throw Errors.invalid(
                  format(
                      "'%s' of %s has numbers that are not finite, so no training can start from"
                          + " it",
                      name, source.path()),
                  "use an intact copy of the model");
            }
          }
        });
  }

  /** Returns the source tensor of each student tensor that has one. */
  private static Map<String, String> origin(
      EncoderSpec spec, HuggingFaceDirectory source, List<Integer> blocks) {
    boolean maps =
        spec.architecture().mapsEmbeddings() || source.spec().architecture().mapsEmbeddings();
    boolean otherTables = maps && spec.embeddingSize() != source.spec().embeddingSize();
    Map<String, String> origin = new LinkedHashMap<>();
    for (String name : spec.parameters().keySet()) {
      String from = name;
      for (int block = 1; block <= spec.distinctBlocks(); block++) {
        String prefix = spec.prefixOf(block);
        if (name.startsWith(prefix)) {
          from = source.spec().prefixOf(blocks.get(block - 1)) + name.substring(prefix.length());
        }
      }
      if (source.has(from) && !(otherTables && hasEmbeddingWidth(name))) {
        origin.put(name, from);
      }
    }
    return origin;
  }

  private static boolean hasEmbeddingWidth(String name) {
    return name.startsWith(TABLES)
        || name.startsWith(EncoderSpec.MAPPING)
        || name.startsWith("cls.predictions.transform.");
  }

  private static void keepEmbeddingOutput(
      NDManager manager,
      EncoderSpec spec,
      HuggingFaceDirectory source,
      Map<String, NDArray> weights) {
    boolean sourceHasSegments = source.spec().architecture().hasSegments();
    if (sourceHasSegments && !spec.architecture().hasSegments()) {
      NDArray segments =
          Objects.requireNonNull(source.weights(manager, List.of(SEGMENTS)).get(SEGMENTS));
      weights.computeIfPresent(POSITIONS, (name, table) -> table.add(segments.get("0:1")));
    } else if (!sourceHasSegments && spec.architecture().hasSegments()) {
      weights.computeIfPresent(SEGMENTS, (name, table) -> manager.zeros(table.getShape()));
    }
    if (spec.architecture().mapsEmbeddings() && !source.spec().architecture().mapsEmbeddings()) {
      weights.put(EncoderSpec.MAPPING + ".weight", manager.eye(spec.hiddenSize()));
    }
  }

  /**
   * Returns the projections of a recipe: matrices of shape (teacher width, student width) for the
   * mapped hidden states, which may share one matrix. No projections are needed if the widths are
   * equal.
   */
  public static Map<String, NDArray> projections(
      NDManager manager, DistillSpec loss, int studentWidth, int teacherWidth, long seed) {
    Map<String, NDArray> projections = new LinkedHashMap<>();
    if (studentWidth != teacherWidth) {
      for (int layer : loss.studentHidden()) {
        long[] shape = {teacherWidth, studentWidth};
        projections.computeIfAbsent(
            loss.projection(layer), name -> random(manager, name, shape, seed));
      }
    }
    return projections;
  }

  private static boolean fits(NDArray weight, long[] shape) {
    return weight.getShape().equals(new Shape(shape));
  }

  private static NDArray random(NDManager manager, String name, long[] shape, long seed) {
    int size = Math.toIntExact(new Shape(shape).size());
    float[] values = new float[size];
    if (name.endsWith("LayerNorm.weight")) {
      Arrays.fill(values, 1f);
    } else if (!name.endsWith("bias")) {
      Random random = generator(name, seed);
      for (int i = 0; i < size; i++) {
        values[i] = (float) (DEVIATION * random.nextGaussian());
      }
    }
    return tensor(manager, values, shape);
  }

  /** Returns the random generator of a tensor. */
  static Random generator(String name, long seed) {
    CRC32 hash = new CRC32();
    hash.update(name.getBytes(StandardCharsets.UTF_8));
    return new Random(RowOrder.mix(seed, hash.getValue()));
  }

  static NDArray tensor(NDManager manager, float[] values, long[] shape) {
    try (NDArray inJavaMemory = manager.create(values, new Shape(shape))) {
      return inJavaMemory.duplicate(); // aligned in libtorch's memory, see SafeTensors
    }
  }
}

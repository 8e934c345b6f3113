package io.stillhouse.train;

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

/** Where a student's weights come from before the first step. */
public final class StudentInit {
  private static final String TABLES = "bert.embeddings.";
  private static final String POSITIONS = TABLES + "position_embeddings.weight";
  private static final String SEGMENTS = TABLES + "token_type_embeddings.weight";

  /** BERT's initializer_range. */
  private static final double DEVIATION = 0.02;

  private StudentInit() {}

  /**
   * Returns random weights: normal with deviation 0.02, biases 0, LayerNorm 1, as Hugging Face
   * initialises BERT.
   *
   * @param seed each tensor depends on it and on its own name alone, so models that share a part
   *     start alike there
   */
  public static Map<String, NDArray> random(NDManager manager, EncoderSpec spec, long seed) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    spec.parameters()
        .forEach((name, shape) -> weights.put(name, random(manager, name, shape, seed)));
    return weights;
  }

  /**
   * Returns the weights of a saved encoder, student block b taken from its block {@code
   * blocks.get(b - 1)}. What the source lacks (a head of another task, a pooler) is random.
   *
   * <p>Where the architectures differ, the student's embedding output is still the source's:
   *
   * <ul>
   *   <li>a student without segment embeddings has the source's first one added to each position,
   *       so that single texts begin alike (DistilBERT's released extraction leaves them out); one
   *       with them, of a source without, has zeros;
   *   <li>a student that maps its embeddings begins with the identity where the tables are as wide
   *       as its hidden states. Narrower tables, and what of the masked-LM head is as wide as they,
   *       are random, unless the source has them of that width;
   *   <li>blocks that share one set of weights have those of the first block named.
   * </ul>
   *
   * A pooler is taken over under another activation, too: DistilBERT's is a ReLU.
   *
   * @param source a teacher, or an earlier student
   * @param blocks a source block, counted from 1, for each student block that has weights of its
   *     own; more are ignored
   * @throws io.stillhouse.error.StillhouseException if a shape differs, or the source maps
   *     embeddings that the student would read as they are
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
          "%s maps its embeddings to its hidden states, but a student of architecture %s would read them unmapped"
              .formatted(source.path(), spec.architecture().name().toLowerCase(Locale.ROOT)),
          "set student.architecture=albert, or student.init=random");
    }
    Map<String, String> origin = origin(spec, source, blocks);
    Map<String, NDArray> loaded =
        source.weights(manager, origin.values().stream().distinct().toList());
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
                    "'%s' is %s in %s but %s in the student"
                        .formatted(from, weight.getShape(), source.path(), Arrays.toString(shape)),
                    "give the student the same widths and vocabulary, or start it from"
                        + " student.init=random");
              }
              // A block may serve twice; each student tensor is its own.
              weights.put(name, weights.containsValue(weight) ? weight.duplicate() : weight);
            });
    if (origin.containsKey(EncoderSpec.WORDS)) {
      keepEmbeddingOutput(manager, spec, source, weights);
    }
    return weights;
  }

  /** Returns which of the source's tensors each of the student's is taken from, if any. */
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
      if (source.has(from) && !(otherTables && asWideAsTables(name))) {
        origin.put(name, from);
      }
    }
    return origin;
  }

  private static boolean asWideAsTables(String name) {
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
   * Returns the projections that a recipe needs: matrices (teacher width, student width) for the
   * mapped hidden states, which may share them; none where the widths are equal.
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

  /** Returns the generator of a tensor's numbers. */
  static Random generator(String name, long seed) {
    CRC32 hash = new CRC32();
    hash.update(name.getBytes(StandardCharsets.UTF_8));
    return new Random(RowOrder.mix(seed, hash.getValue()));
  }

  static NDArray tensor(NDManager manager, float[] values, long[] shape) {
    try (NDArray inJavaMemory = manager.create(values, new Shape(shape))) {
      return inJavaMemory.duplicate(); // aligned, as libtorch's own: see SafeTensors
    }
  }
}

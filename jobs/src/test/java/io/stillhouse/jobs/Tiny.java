package io.stillhouse.jobs;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cli.Stillhouse;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.train.StudentInit;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.SparkSession;

/** Tiny models, corpora in their vocabulary, and the local Spark session, shared by all tests. */
public final class Tiny {
  /** A classifier of three classes. All have 3 blocks, width 32, 4 heads and 40 positions. */
  public static final Path CLS = golden("bert-tiny-cls-v1");

  public static final Path MLM = golden("bert-tiny-mlm-v1");
  public static final Path REG = golden("bert-tiny-reg-v1");
  public static final Path ALBERT = golden("albert-tiny-cls-v1");
  public static final int WIDTH = 32;
  public static final int HEADS = 4;
  public static final int LAYERS = 3;

  private static final List<String> WORDS =
      List.of(
          "the", "of", "and", "to", "in", "is", "was", "for", "on", "that", "with", "as", "it",
          "by", "at", "from", "his", "be", "are", "had", "were", "which", "this", "an", "wed",
          "bing", ".", ",", "7");

  private Tiny() {}

  private static Path golden(String name) {
    return Path.of("../core/src/test/golden", name).toAbsolutePath().normalize();
  }

  /** Returns the session that all tests of this JVM share; starts it if a test has stopped it. */
  public static SparkSession spark() {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", false)
            .config("spark.sql.shuffle.partitions", 2)
            .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    return spark;
  }

  /** Returns settings from {@code key=value} texts; the last value of a key wins. */
  public static Settings settings(List<String> some, String... more) {
    List<String> all = new ArrayList<>(some);
    all.addAll(List.of(more));
    return Settings.parse(null, all);
  }

  /** Returns {@code count} random words. */
  public static String words(Random random, int count) {
    List<String> words = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      words.add(WORDS.get(random.nextInt(WORDS.size())));
    }
    return String.join(" ", words);
  }

  /** Writes a TSV of text and label; the first word, "he" or "not", gives the label. */
  public static Path labelled(Path file, int rows, String ifHe, String ifNot) throws IOException {
    Random random = new Random(7);
    StringBuilder table = new StringBuilder("text\tlabel\n");
    for (int row = 0; row < rows; row++) {
      boolean he = random.nextBoolean();
      table
          .append(he ? "he " : "not ")
          .append(words(random, 1 + random.nextInt(24)))
          .append('\t')
          .append(he ? ifHe : ifNot)
          .append('\n');
    }
    Files.createDirectories(file.getParent());
    return Files.writeString(file, table);
  }

  /**
   * Copies a model and swaps two of its tokens.
   *
   * @return the difference as {@code TokenizerComparison} describes it
   */
  public static String swapTokens(Path model, Path to) throws IOException {
    copy(model, to);
    List<String> vocabulary = new ArrayList<>(Files.readAllLines(to.resolve("vocab.txt")));
    int of = vocabulary.indexOf("of");
    Collections.swap(vocabulary, of, of + 1);
    Files.write(to.resolve("vocab.txt"), vocabulary);
    Files.deleteIfExists(to.resolve("tokenizer.json")); // it would count before vocab.txt
    return format("its token %d is '%s', not 'of'", of, vocabulary.get(of));
  }

  /** Writes a classifier of {@link #CLS}'s shape and tokens with other weights. */
  public static Path otherWeights(Path to) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(CLS).spec();
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory.write(to, spec, StudentInit.random(manager, spec, 1), CLS);
    }
    return to;
  }

  /** Writes a teacher with {@link #CLS}'s first two blocks and scaled embeddings. */
  public static Path shallow(Path to, float scale, Head head) throws IOException {
    HuggingFaceDirectory from = HuggingFaceDirectory.open(CLS);
    EncoderSpec spec = from.spec();
    EncoderSpec fewer =
        new EncoderSpec(
            spec.embeddings(),
            new EncoderSpec.Blocks(2, WIDTH, HEADS, spec.blocks().intermediateSize()),
            spec.numerics(),
            head);
    String norm = "bert.embeddings.LayerNorm.weight";
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = from.weights(manager);
      weights.keySet().retainAll(fewer.parameters().keySet());
      float[] values = weights.get(norm).toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] *= scale;
      }
      weights.put(norm, manager.create(values, weights.get(norm).getShape()));
      HuggingFaceDirectory.write(to, fewer, weights, CLS);
    }
    return to;
  }

  /** Writes lines of 1 to 20 words. */
  public static Path lines(Path file, int lines) throws IOException {
    Random random = new Random(11);
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < lines; line++) {
      text.append(words(random, 1 + random.nextInt(20))).append('\n');
    }
    Files.createDirectories(file.getParent());
    return Files.writeString(file, text);
  }

  /** Returns the bytes of every file below a directory by relative path. */
  public static Map<String, byte[]> files(Path directory) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    try (var all = Files.walk(directory)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(directory.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  /** Copies a directory, such as a cache, and returns the copy. */
  public static Path copy(Path from, Path to) throws IOException {
    FileUtils.copyDirectory(from.toFile(), to.toFile());
    return to;
  }

  /** Verifies a cache in the shared session. */
  public static VerifyJob.Result verify(Path cache, String... settings) throws IOException {
    return new VerifyJob(spark(), settings(List.of(), settings), cache.toString()).run();
  }

  /** Runs a command that must fail with exit code 2, and returns its only message. */
  public static String mistake(String... arguments) {
    Storage.ofThisProcess().qualify("/"); // Spark and Hadoop log warnings when they are first used
    PrintStream stderr = System.err;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    int code;
    System.setErr(new PrintStream(captured, true, StandardCharsets.UTF_8));
    try {
      code = Stillhouse.run(arguments);
    } finally {
      System.setErr(stderr);
    }
    String message = captured.toString(StandardCharsets.UTF_8);
    assertThat(code).as(message).isEqualTo(2);
    assertThat(message).startsWith("stillhouse: ").doesNotContain("\tat ", "Exception");
    assertThat(message.indexOf("stillhouse: ", 1)).as("one message").isNegative();
    return message;
  }
}

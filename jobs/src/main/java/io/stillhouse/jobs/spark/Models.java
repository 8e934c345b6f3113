package io.stillhouse.jobs.spark;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.bilstm.BiLstm;
import io.stillhouse.model.bilstm.InferenceBiLstm;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Precision;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.TokenizerDefinition;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Models and tokenizers that an executor loads from directories once for all its tasks. It keeps
 * the most recently used models, and reloads a directory if its files have changed.
 */
public final class Models {
  private static final Logger LOG = LoggerFactory.getLogger(Models.class);
  private static final int MAX_MODELS = 16;
  private static final int MAX_TOKENIZERS = 64;

  private static final TaskCache<Key, Object> MODELS = new TaskCache<>(MAX_MODELS);
  private static final Map<Version, Tokenizer> TOKENIZERS = bounded(MAX_TOKENIZERS);
  private static final Map<Version, Kind> KINDS = bounded(MAX_TOKENIZERS);
  private static final Map<Version, java.nio.file.Path> COPIES = new LinkedHashMap<>();

  /** The directory versions that each running task has seen. */
  private static final Map<Long, Map<String, Version>> SEEN = new ConcurrentHashMap<>();

  private enum Kind {
    INFERENCE_ENCODER,
    TRAINABLE_ENCODER,
    INFERENCE_BI_LSTM
  }

  /**
   * A directory at one point in time.
   *
   * @param files names, lengths and modification times of its files
   */
  private record Version(String directory, String files) {
    /** Returns the version that the calling task sees, which is the same until it ends. */
    static Version of(String directory) throws IOException {
      TaskContext task = TaskContext.get();
      if (task == null) {
        return read(directory);
      }
      Map<String, Version> seen = SEEN.get(task.taskAttemptId());
      if (seen == null) {
        seen = new HashMap<>();
        SEEN.put(task.taskAttemptId(), seen);
        TaskCompletionListener forget = ended -> SEEN.remove(ended.taskAttemptId());
        task.addTaskCompletionListener(forget);
      }
      Version version = seen.get(directory);
      if (version == null) {
        version = read(directory);
        seen.put(directory, version);
      }
      return version;
    }

    private static Version read(String directory) throws IOException {
      Path path = new Path(directory);
      FileSystem fs = Storage.ofThisProcess().fileSystem(path);
      if (!fs.exists(path)) {
        return new Version(directory, ""); // opening it reports what is missing
      }
      StringBuilder files = new StringBuilder();
      Arrays.stream(fs.listStatus(path))
          .filter(FileStatus::isFile)
          .sorted()
          .forEach(
              file ->
                  files
                      .append(file.getPath().getName())
                      .append(' ')
                      .append(file.getLen())
                      .append(' ')
                      .append(file.getModificationTime())
                      .append('\n'));
      return new Version(directory, files.toString());
    }
  }

  private record Key(Kind kind, Version version, Precision precision, Device device) {}

  private Models() {}

  /**
   * Returns the encoder of a Hugging Face directory for inference. It stays open until the calling
   * task ends.
   */
  public static synchronized InferenceEncoder encoder(String directory, Precision precision)
      throws IOException {
    Key key = key(Kind.INFERENCE_ENCODER, directory, precision);
    return (InferenceEncoder)
        MODELS.get(
            key,
            () -> {
              Autograd.record(Autograd.Mode.OFF);
              HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(key.version()));
              NDManager manager = Devices.manager();
              Devices.requireCachePrecision(precision, manager);
              Encoder encoder = new Encoder(opened.spec(), opened.weights(manager));
              return new TaskCache.Loaded<>(
                  new InferenceEncoder(encoder, manager, precision), manager);
            });
  }

  /**
   * Returns the encoder of a Hugging Face directory whose forward pass can be recorded for
   * gradients. It stays open until the calling task ends.
   */
  public static synchronized Encoder trainableEncoder(String directory) throws IOException {
    Key key = key(Kind.TRAINABLE_ENCODER, directory, Precision.FLOAT32);
    return (Encoder)
        MODELS.get(
            key,
            () -> {
              HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(key.version()));
              NDManager manager = Devices.manager();
              return new TaskCache.Loaded<>(
                  new Encoder(opened.spec(), opened.weights(manager)), manager);
            });
  }

  /**
   * Returns a student of any architecture, or a teacher, for inference. It stays open until the
   * calling task ends.
   */
  public static synchronized Predictor predictor(String directory) throws IOException {
    Version version = Version.of(directory);
    Kind kind = KINDS.get(version);
    if (kind == null) {
      boolean encoder = ModelDirectory.open(copy(version)) instanceof HuggingFaceDirectory;
      kind = encoder ? Kind.INFERENCE_ENCODER : Kind.INFERENCE_BI_LSTM;
      KINDS.put(version, kind);
    }
    return kind == Kind.INFERENCE_ENCODER
        ? encoder(directory, Precision.FLOAT32)
        : biLstm(directory);
  }

  private static Predictor biLstm(String directory) throws IOException {
    Key key = key(Kind.INFERENCE_BI_LSTM, directory, Precision.FLOAT32);
    return (Predictor)
        MODELS.get(
            key,
            () -> {
              Autograd.record(Autograd.Mode.OFF);
              ModelDirectory opened = ModelDirectory.open(copy(key.version()));
              NDManager manager = Devices.manager();
              BiLstm plain =
                  (BiLstm) ModelFactory.predictor(opened.spec(), opened.weights(manager));
              return new TaskCache.Loaded<>(new InferenceBiLstm(plain, manager), manager);
            });
  }

  /**
   * Opens a teacher on the driver, before tasks load it, and logs what was assumed and left out,
   * also of its tokenizer.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link HuggingFaceDirectory#open} and {@link
   *     TokenizerDefinition#read}
   */
  public static HuggingFaceDirectory openTeacher(java.nio.file.Path local) throws IOException {
    HuggingFaceDirectory opened = openEncoder(local);
    logTokenizerNotes(local);
    return opened;
  }

  /**
   * Opens an encoder whose tokenizer is not used, and logs what was assumed and left out.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link HuggingFaceDirectory#open}
   */
  public static HuggingFaceDirectory openEncoder(java.nio.file.Path local) throws IOException {
    HuggingFaceDirectory opened = HuggingFaceDirectory.open(local);
    logNotes(opened);
    return opened;
  }

  /** Logs what was assumed and left out when a directory was opened. */
  public static void logNotes(HuggingFaceDirectory opened) {
    opened.notes().forEach(note -> LOG.warn("'{}': {}", opened.path(), note));
  }

  /** Logs what was assumed when the tokenizer of a local directory was opened. */
  public static void logTokenizerNotes(java.nio.file.Path local) throws IOException {
    TokenizerDefinition.read(local).notes().forEach(LOG::warn);
  }

  /** Returns the tokenizer of a Hugging Face directory. */
  public static synchronized Tokenizer tokenizer(String directory) throws IOException {
    Version version = Version.of(directory);
    Tokenizer tokenizer = TOKENIZERS.get(version);
    if (tokenizer == null) {
      tokenizer = Tokenizer.open(copy(version));
      TOKENIZERS.put(version, tokenizer);
    }
    return tokenizer;
  }

  /** Returns a local copy of a directory on any file system, or the directory if it is local. */
  public static synchronized java.nio.file.Path copy(String directory) throws IOException {
    return copy(Version.of(directory));
  }

  private static java.nio.file.Path copy(Version version) throws IOException {
    java.nio.file.Path copy = COPIES.get(version);
    if (copy == null) {
      copy = Storage.ofThisProcess().local(new Path(version.directory()));
      COPIES.put(version, copy);
    }
    return copy;
  }

  private static Key key(Kind kind, String directory, Precision precision) throws IOException {
    return new Key(kind, Version.of(directory), precision, Devices.ofTask());
  }

  private static <K, V> Map<K, V> bounded(int capacity) {
    return new LinkedHashMap<>(16, 0.75f, true) {
      @Override
      protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
        return size() > capacity;
      }
    };
  }
}

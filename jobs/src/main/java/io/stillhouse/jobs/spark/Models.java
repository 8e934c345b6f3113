package io.stillhouse.jobs.spark;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
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
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Models and tokenizers that an executor loads from directories once for all its tasks. It keeps
 * the most recently used models, which {@link ModelContent} identifies by their content.
 */
public final class Models {
  private static final Logger LOG = LoggerFactory.getLogger(Models.class);
  private static final int MAX_MODELS = 16;
  private static final int MAX_TOKENIZERS = 64;

  private static final TaskCache<Key, Object> MODELS = new TaskCache<>(MAX_MODELS);
  private static final TaskCache<String, Tokenizer> TOKENIZERS = new TaskCache<>(MAX_TOKENIZERS);
  private static final Map<String, Kind> KINDS = LeastRecentlyUsed.map(MAX_MODELS);

  private enum Kind {
    INFERENCE_ENCODER,
    TRAINABLE_ENCODER,
    INFERENCE_BI_LSTM
  }

  private record Key(Kind kind, String digest, Precision precision, Device device) {}

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
              HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(directory));
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
              HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(directory));
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
    String digest = ModelContent.ofModel(directory);
    Kind kind = KINDS.get(digest);
    if (kind == null) {
      boolean encoder = ModelDirectory.open(copy(directory)) instanceof HuggingFaceDirectory;
      kind = encoder ? Kind.INFERENCE_ENCODER : Kind.INFERENCE_BI_LSTM;
      KINDS.put(digest, kind);
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
              ModelDirectory opened = ModelDirectory.open(copy(directory));
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

  /**
   * Returns the tokenizer of a Hugging Face directory. It stays open until the calling task ends.
   */
  public static synchronized Tokenizer tokenizer(String directory) throws IOException {
    return TOKENIZERS.get(
        ModelContent.ofTokenizer(directory),
        () -> {
          Tokenizer tokenizer = Tokenizer.open(copy(directory));
          return new TaskCache.Loaded<>(tokenizer, tokenizer);
        });
  }

  /** Returns a local copy of a directory or file: see {@link ModelContent#copy}. */
  public static java.nio.file.Path copy(String directory) throws IOException {
    return ModelContent.copy(directory);
  }

  private static Key key(Kind kind, String directory, Precision precision) throws IOException {
    return new Key(kind, ModelContent.ofModel(directory), precision, Devices.ofTask());
  }
}

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
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/** Models and tokenizers, loaded once per executor and kept until it ends. */
public final class Models {
  private static final Map<Key, InferenceEncoder> ENCODERS = new HashMap<>();
  private static final Map<Key, Encoder> RECORDED = new HashMap<>();
  private static final Map<Key, InferenceBiLstm> BI_LSTMS = new HashMap<>();
  private static final Map<String, Tokenizer> TOKENIZERS = new HashMap<>();
  private static final Map<String, java.nio.file.Path> COPIES = new HashMap<>();

  private Models() {}

  private record Key(String directory, Precision precision, Device device) {}

  /**
   * Returns the encoder of a Hugging Face directory, for inference: its weights take no gradient.
   */
  public static synchronized InferenceEncoder encoder(String directory, Precision precision)
      throws IOException {
    Key key = new Key(directory, precision, Devices.ofTask());
    InferenceEncoder encoder = ENCODERS.get(key);
    if (encoder == null) {
      Autograd.record(Autograd.Mode.OFF);
      HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(directory));
      NDManager manager = Devices.manager();
      Devices.requireCachePrecision(precision, manager);
      encoder =
          new InferenceEncoder(
              new Encoder(opened.spec(), opened.weights(manager)), manager, precision);
      ENCODERS.put(key, encoder);
    }
    return encoder;
  }

  /** Returns the encoder of a Hugging Face directory whose pass can be recorded. */
  public static synchronized Encoder recorded(String directory) throws IOException {
    Key key = new Key(directory, Precision.FLOAT32, Devices.ofTask());
    Encoder encoder = RECORDED.get(key);
    if (encoder == null) {
      HuggingFaceDirectory opened = HuggingFaceDirectory.open(copy(directory));
      encoder = new Encoder(opened.spec(), opened.weights(Devices.manager()));
      RECORDED.put(key, encoder);
    }
    return encoder;
  }

  /** Returns a student of any architecture, or a teacher, for inference. */
  public static synchronized Predictor predictor(String directory) throws IOException {
    Key key = new Key(directory, Precision.FLOAT32, Devices.ofTask());
    Predictor known = BI_LSTMS.get(key);
    if (known != null || ENCODERS.containsKey(key)) {
      return known != null ? known : encoder(directory, Precision.FLOAT32);
    }
    ModelDirectory opened = ModelDirectory.open(copy(directory));
    if (opened instanceof HuggingFaceDirectory) {
      return encoder(directory, Precision.FLOAT32);
    }
    Autograd.record(Autograd.Mode.OFF);
    NDManager manager = Devices.manager();
    BiLstm plain = (BiLstm) ModelFactory.predictor(opened.spec(), opened.weights(manager));
    InferenceBiLstm predictor = new InferenceBiLstm(plain, manager);
    BI_LSTMS.put(key, predictor);
    return predictor;
  }

  /** Returns the tokenizer of a Hugging Face directory. */
  public static synchronized Tokenizer tokenizer(String directory) throws IOException {
    Tokenizer tokenizer = TOKENIZERS.get(directory);
    if (tokenizer == null) {
      tokenizer = Tokenizer.open(copy(directory));
      TOKENIZERS.put(directory, tokenizer);
    }
    return tokenizer;
  }

  /** Returns a local copy of a directory on any file system. */
  public static synchronized java.nio.file.Path copy(String directory) throws IOException {
    java.nio.file.Path copy = COPIES.get(directory);
    if (copy == null) {
      copy = Storage.ofThisProcess().local(new Path(directory));
      COPIES.put(directory, copy);
    }
    return copy;
  }
}

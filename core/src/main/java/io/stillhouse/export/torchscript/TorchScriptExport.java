package io.stillhouse.export.torchscript;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.TensorNames;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.torch.ScriptArchive;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Writes a model for libtorch, and for services that load it with DJL.
 *
 * <p>The module's method {@code forward(input_ids, attention_mask, token_type_ids)} takes int64
 * tensors of shape (B, L). It returns one float32 tensor: the logits of a classifier or a
 * regression model, (B, C); those of a masked LM, (B, L, V); or the last hidden states of an
 * encoder without a head, (B, L, D), whose values at padding have no meaning. The mask is 1 at
 * tokens and 0 at padding. The last two arguments may be left out: then there is no padding, and
 * all segment ids are 0. A DistilBERT has no segment ids, and a BiLSTM that reads pairs of texts
 * requires all three arguments.
 */
public final class TorchScriptExport {
  /** The name of the archive that {@link #write} writes. */
  public static final String ARCHIVE = "model.pt";

  private TorchScriptExport() {}

  /**
   * Writes {@code model.pt} and {@code serving.properties}.
   *
   * @param directory an existing directory, which has or will have the model's {@code config.json}
   *     and {@code tokenizer.json}
   */
  public static void write(ModelDirectory model, Path directory) throws IOException {
    archive(model.spec(), model.lazyWeights(), directory.resolve(ARCHIVE));
    ServingProperties.write(model, directory);
  }

  private static void archive(ModelSpec spec, Map<String, LazyTensor> weights, Path file)
      throws IOException {
    ModuleSource source = ModuleSource.of(spec);
    ModulePickle pickle =
        new ModulePickle(source, path -> parameterAt(path, spec), name -> weight(name, weights));
    try (OutputStream stream = new BufferedOutputStream(Files.newOutputStream(file));
        ScriptArchive archive = new ScriptArchive("model", stream)) {
      archive.module(pickle.write());
      for (Map.Entry<String, String> text : source.texts().entrySet()) {
        archive.source(text.getKey(), text.getValue());
      }
      for (Map.Entry<String, Integer> key : pickle.keys().entrySet()) {
        archive.storage(key.getValue().toString(), weight(key.getKey(), weights).bytes().read());
      }
    }
  }

  private static LazyTensor weight(String name, Map<String, LazyTensor> weights) {
    LazyTensor weight = weights.get(name);
    if (weight == null) {
      throw new IllegalStateException("no weight " + name);
    }
    return weight;
  }

  /** Returns the name of the parameter at a path of attributes, which is Hugging Face's name. */
  private static String parameterAt(String path, ModelSpec spec) {
    if (spec instanceof BiLstmSpec) {
      return path;
    }
    String name = TensorNames.of(((EncoderSpec) spec).architecture()).canonical(path);
    return name.equals("cls.predictions.decoder.weight") ? EncoderSpec.WORDS : name;
  }
}

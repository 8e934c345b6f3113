package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Dtype;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Writes the token ids and logits of a model for lines of text, to compare them with those of other
 * software.
 */
public final class LogitsFile {
  private LogitsFile() {}

  /**
   * Writes a safetensors file with two tensors for each line n, counted from 000: {@code
   * input_ids_n} of shape (L) and {@code logits_n} of shape (L, V) for a masked LM, (C) for a task,
   * or (L, H), the last hidden states, for a model without a head.
   *
   * @param model a directory, or a file of an export, such as {@code onnx/model.onnx}, whose model
   *     has a task head
   * @return the number of lines
   * @throws io.stillhouse.error.StillhouseException if the model or the text does not exist, or a
   *     number is not finite; nothing is written then
   */
  public static int write(String model, Path text, Path out) throws IOException {
    if (!Files.isRegularFile(text)) {
      throw Errors.noSuchPath("text", text);
    }
    List<String> lines = List.of(Files.readString(text).stripTrailing().split("\n", -1));
    ModelLocation location =
        ModelLocation.existing(Storage.ofThisProcess(), "model directory", model);
    Path local = Models.copy(location.directory());
    String name = String.valueOf(local.getFileName());
    Models.logTokenizerNotes(local);
    Autograd.record(Autograd.Mode.OFF);
    Autograd.threads(1); // as in the cache: the last digits of sums depend on the number
    try (NDManager manager = Devices.cpu();
        Tokenizer tokenizer = Tokenizer.open(local)) {
      LineLogits logits =
          location.form() == Form.WEIGHTS
              ? weights(ModelDirectory.open(local), manager)
              : form(location, manager);
      ModelCheck.of(Settings.parse(null, List.of()), name, logits.spec()).requireReadsLines();
      Pairing pairing =
          new Pairing(tokenizer.clsId(), tokenizer.sepId(), logits.spec().maxTokens());
      Map<String, NDArray> tensors = new LinkedHashMap<>();
      List<Encoded> encoded = tokenizer.encode(lines);
      int notFinite = 0;
      for (int line = 0; line < lines.size(); line++) {
        Pairing.Input input = pairing.single(encoded.get(line).ids());
        NDArray computed = logits.compute().apply(input);
        notFinite += TargetCells.invalidRows(computed.reshape(1, -1), Dtype.FLOAT32)[0] ? 1 : 0;
        tensors.put(
            format("input_ids_%03d", line),
            manager.create(input.ids()).toType(DataType.FLOAT32, false));
        tensors.put(format("logits_%03d", line), computed);
      }
      ModelCheck.requireFinite(name, notFinite, lines.size());
      SafeTensors.write(out, tensors, Map.of());
    }
    return lines.size();
  }

  /** Computes one line. */
  private record LineLogits(ModelSpec spec, Function<Pairing.Input, NDArray> compute) {}

  private static LineLogits weights(ModelDirectory model, NDManager manager) {
    if (model instanceof HuggingFaceDirectory encoder) {
      Models.logNotes(encoder);
    }
    Predictor predictor = ModelFactory.predictor(model.spec(), model.weights(manager));
    return new LineLogits(
        model.spec(),
        input -> {
          Batch batch = Batch.of(manager, List.of(input.ids()), List.of(input.tokenTypes()));
          EncoderOutput output = predictor.forward(batch, Capture.NONE);
          NDArray states = output.last().squeeze(0);
          return model.spec().head().task() == Task.MASKED_LM
              ? predictor.maskedLmLogits(states)
              : output.logits() == null ? states : output.logits().squeeze(0);
        });
  }

  private static LineLogits form(ModelLocation location, NDManager manager) throws IOException {
    InferenceModel model = LoadedModels.open(location);
    return new LineLogits(model.spec(), input -> manager.create(model.logits(List.of(input))[0]));
  }
}

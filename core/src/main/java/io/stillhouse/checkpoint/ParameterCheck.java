package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Checks the tensors of a file against the parameters of a model. */
public final class ParameterCheck {
  private ParameterCheck() {}

  /**
   * A tensor in a file.
   *
   * @param storedName its name in the file
   */
  public record Found(Shape shape, String storedName, Path file) {}

  /**
   * Throws if a tensor is missing or has the wrong shape. The message lists all problems.
   *
   * <p>Further tensors are left out, as Hugging Face's {@code from_pretrained} does; those of a
   * BiLSTM, which it cannot load, are problems.
   *
   * @param source the path that the user named
   * @param found tensors by the names of {@link ModelSpec#parameters()}
   * @return a sentence that names the tensors that are left out, or nothing
   */
  public static Optional<String> require(Path source, ModelSpec spec, Map<String, Found> found) {
    List<String> problems = new ArrayList<>();
    spec.parameters()
        .forEach(
            (name, shape) -> {
              Found tensor = found.get(name);
              if (tensor == null) {
                problems.add(
                    format(
                        "tensor '%s' %s is missing", stored(name, spec), Arrays.toString(shape)));
              } else if (!tensor.shape().equals(new Shape(shape))) {
                problems.add(
                    format(
                        "tensor '%s' should have shape %s but has %s in %s",
                        stored(name, spec),
                        Arrays.toString(shape),
                        Errors.shortened(Arrays.toString(tensor.shape().getShape())),
                        tensor.file().getFileName()));
              }
            });
    List<Found> others = new ArrayList<>();
    found.forEach(
        (name, tensor) -> {
          if (!spec.parameters().containsKey(name) && !ignorable(name, spec)) {
            others.add(tensor);
          }
        });
    if (!problems.isEmpty() || !others.isEmpty() && !(spec instanceof EncoderSpec)) {
      others.forEach(
          tensor ->
              problems.add(
                  format(
                      "tensor '%s' in %s is not a parameter of this model (%s)",
                      Errors.shortened(tensor.storedName()),
                      tensor.file().getFileName(),
                      describe(spec))));
      throw Errors.invalid(
          format(
              "the weights of '%s' do not match its configuration: %s",
              source, Errors.joined(problems)),
          "use the config and the weights of the same model");
    }
    return others.isEmpty() ? Optional.empty() : Optional.of(leftOut(others, spec));
  }

  private static String leftOut(List<Found> others, ModelSpec spec) {
    List<String> names =
        others.stream().limit(3).map(found -> Errors.shortened(found.storedName())).toList();
    return format(
        "left out %d tensors that are not parameters of this model (%s): %s%s",
        others.size(),
        describe(spec),
        String.join(", ", names),
        others.size() > names.size() ? ", ..." : "");
  }

  /** Returns the name of a parameter in the model's files. */
  private static String stored(String name, ModelSpec spec) {
    return spec instanceof EncoderSpec encoder
        ? TensorNames.of(encoder.architecture()).stored(name)
        : name;
  }

  /** Returns whether a tensor may be present although the model does not read it. */
  private static boolean ignorable(String name, ModelSpec spec) {
    return spec instanceof EncoderSpec
        && (name.endsWith(".position_ids")
            || name.startsWith("cls.seq_relationship.")
            || name.startsWith("bert.pooler.")
            || switch (spec.head().task()) {
              case NONE -> name.startsWith("cls.");
              case MASKED_LM -> name.equals("cls.predictions.decoder.weight");
              case CLASSIFICATION, REGRESSION, MULTI_LABEL -> false;
            });
  }

  private static String describe(ModelSpec spec) {
    return spec instanceof EncoderSpec encoder
        ? format("%s, %d layers", describe(encoder.head().task()), encoder.layers())
        : "BiLSTM";
  }

  private static String describe(Task task) {
    return switch (task) {
      case NONE -> "encoder without a head";
      case MASKED_LM -> "masked-LM model";
      case CLASSIFICATION -> "classifier";
      case REGRESSION -> "regression model";
      case MULTI_LABEL -> "multi-label classifier";
    };
  }
}

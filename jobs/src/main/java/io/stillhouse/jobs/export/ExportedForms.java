package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.export.int8.Int8Result;
import io.stillhouse.export.int8.Int8Variant;
import io.stillhouse.export.int8.WeightBits;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.export.torchscript.TorchScriptExport;
import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes the forms of a model into a local directory. */
final class ExportedForms {
  private final ModelDirectory model;
  private final Path directory;
  private final WeightBits bits;

  /**
   * @param directory a directory that does not exist yet
   * @param bits the range of int8 weights
   */
  ExportedForms(ModelDirectory model, Path directory, WeightBits bits) {
    this.model = model;
    this.directory = directory;
    this.bits = bits;
  }

  /**
   * Requires that every format supports a model.
   *
   * @throws io.stillhouse.error.StillhouseException if one does not
   */
  static void requireSupported(ModelSpec spec, List<ExportFormat> formats) {
    for (ExportFormat format : formats) {
      switch (format) {
        case HUGGINGFACE, TORCHSCRIPT -> {}
        case ONNX, ONNX_INT8, NCNN -> OnnxExport.requireSupported(spec);
      }
    }
  }

  /**
   * Writes config, tokenizer and the forms.
   *
   * @param head the model's head with the names of its classes in the config
   * @param calibration rows on which variants of the int8 model are compared; may be empty
   */
  List<ExportRecord.Form> write(
      List<ExportFormat> formats, Head head, List<Pairing.Input> calibration) throws IOException {
    model.copyTo(directory);
    if (!head.equals(model.spec().head())) {
      ModelDirectory.renameLabels(directory, head);
    }
    List<ExportRecord.Form> forms = new ArrayList<>();
    for (ExportFormat format : formats) {
      forms.add(write(format, calibration));
    }
    if (!formats.contains(ExportFormat.HUGGINGFACE)) {
      for (Path weights : ModelFiles.weightFiles(directory)) {
        Files.delete(weights);
      }
    }
    return forms;
  }

  private ExportRecord.Form write(ExportFormat format, List<Pairing.Input> calibration)
      throws IOException {
    List<String> notes = new ArrayList<>();
    Path file = directory.resolve(format.file());
    Files.createDirectories(file.getParent());
    switch (format) {
      case HUGGINGFACE -> {
        long bytes = 0;
        for (Path weights : ModelFiles.weightFiles(directory)) {
          bytes += Files.size(weights);
        }
        return ExportRecord.Form.of(format, bytes, notes);
      }
      case ONNX -> OnnxExport.write(model, file);
      case TORCHSCRIPT -> TorchScriptExport.write(model, directory);
      case ONNX_INT8 -> notes.add(described(OnnxExport.writeInt8(model, file, bits, calibration)));
      case NCNN -> OnnxExport.writeNcnn(model, file);
    }
    return ExportRecord.Form.of(format, Files.size(file), notes);
  }

  /** Returns how the int8 weights were prepared, as a sentence without a final period. */
  private static String described(Int8Result result) {
    String variant = word(result.variant());
    if (result.errors().isEmpty()) {
      return format("the %s variant; there were no rows to compare variants on", variant);
    }
    String errors =
        result.errors().entrySet().stream()
            .sorted(Map.Entry.comparingByKey())
            .map(each -> format("%s %.4f", word(each.getKey()), each.getValue()))
            .collect(Collectors.joining(", "));
    return format(
        "the %s variant, chosen on rows of the cache by the mean absolute difference of the outputs"
            + " from float32 (%s)",
        variant, errors);
  }

  private static String word(Int8Variant variant) {
    return variant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}

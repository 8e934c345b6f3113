package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Secrets;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.FormEvaluation;
import io.stillhouse.jobs.evaluate.Speed;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Baseline;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.commons.text.StringSubstitutor;
import org.apache.hadoop.fs.Path;

/** The {@code README.md} of an exported directory, which model hubs show as its model card. */
final class ModelCard {
  private static final Gson YAML = new GsonBuilder().disableHtmlEscaping().create();
  private static final String EXAMPLE = "a text";

  private final Settings settings;
  private final ModelSpec spec;
  private final Head head;
  private final ExportRecord record;
  private final String directory;

  ModelCard(Settings settings, ModelSpec spec, Head head, ExportRecord record) {
    this.settings = settings;
    this.spec = spec;
    this.head = head;
    this.record = record;
    this.directory = new Path(record.directory()).getName();
  }

  /** Returns the card as Markdown, after metadata in YAML. Secret values are replaced. */
  String text() {
    Map<String, String> values = new LinkedHashMap<>();
    values.put("metadata", metadata());
    TrainedStudent training = record.provenance().training();
    values.put("name", training == null ? directory : training.name());
    values.put("summary", summary());
    values.put("metrics", metrics());
    values.put("forms", forms());
    values.put(
        "maxTokens",
        spec.maxTokens() == Integer.MAX_VALUE
            ? format("%d", settings.get(Options.MAX_LENGTH))
            : format("%d", spec.maxTokens()));
    values.put("usage", usage());
    values.put("training", training());
    values.put("version", record.version());
    return Secrets.hiddenIn(filled("model-card.md", values).replaceAll("\n{3,}", "\n\n"));
  }

  private String metadata() {
    List<String> lines = new ArrayList<>();
    String license = settings.get(Options.EXPORT_LICENSE);
    if (!license.isEmpty()) {
      lines.add("license: " + YAML.toJson(license));
    }
    if (spec instanceof EncoderSpec && has(ExportFormat.HUGGINGFACE)) {
      lines.add("library_name: transformers");
    }
    lines.add("pipeline_tag: " + pipeline());
    lines.add("tags: [stillhouse, distillation" + (has(ExportFormat.ONNX) ? ", onnx]" : "]"));
    return String.join("\n", lines);
  }

  private String pipeline() {
    return switch (head.task()) {
      case NONE -> "feature-extraction";
      case MASKED_LM -> "fill-mask";
      case CLASSIFICATION, REGRESSION, MULTI_LABEL -> "text-classification";
    };
  }

  private boolean has(ExportFormat format) {
    return record.forms().stream().anyMatch(form -> form.format().equals(format.id()));
  }

  private String summary() {
    Provenance.Teacher teacher = record.provenance().teacher();
    String origin =
        teacher == null || record.provenance().training() == null
            ? ""
            : teacher.path().isEmpty()
                ? ", distilled from a larger model"
                : ", distilled from " + code(last(teacher.path()));
    return format(
        "%s with %,d parameters%s. %s.", shape(), spec.parameterCount(), origin, predicts());
  }

  private String shape() {
    if (spec instanceof BiLstmSpec biLstm) {
      return format(
          "A bidirectional LSTM of %d units per direction over word vectors of width %d",
          biLstm.units().hiddenSize(), biLstm.words().vectorSize());
    }
    EncoderSpec encoder = (EncoderSpec) spec;
    return format(
        "A %s encoder of %d layers and width %d",
        encoder.architecture(), encoder.layers(), encoder.hiddenSize());
  }

  private String predicts() {
    return switch (head.task()) {
      case NONE -> "It has no head: its last hidden states are embeddings of the tokens";
      case MASKED_LM -> "It predicts masked tokens";
      case REGRESSION -> "It predicts a score";
      case CLASSIFICATION -> "It predicts one of the classes " + labels(head);
      case MULTI_LABEL -> "It predicts any number of the labels " + labels(head);
    };
  }

  private static String labels(Head head) {
    return String.join(", ", head.labels().stream().map(ModelCard::code).toList());
  }

  /** Returns the table of teacher, student and baseline, or "" if they were not evaluated. */
  private String metrics() {
    Evaluation evaluation = record.provenance().evaluation();
    if (evaluation == null) {
      return "";
    }
    String student = Objects.requireNonNull(record.provenance().training()).name();
    List<String> wanted =
        List.of(evaluation.models().get(0).name(), student, Baseline.name(student));
    List<Evaluation.Model> models =
        evaluation.models().stream().filter(model -> wanted.contains(model.name())).toList();
    StringBuilder text = new StringBuilder("## Metrics\n\n");
    text.append(table(models, evaluation.speed()));
    text.append(
        format(
            "%nOn %,d rows of %s; ± is one standard error.",
            evaluation.data().rows(), names(evaluation.data().paths())));
    text.append(" The baseline is the same model trained without the teacher.");
    if (!evaluation.speed().isEmpty()) {
      text.append(
          " The last two columns are the median latency in milliseconds (with the 95th percentile)"
              + " and the sentences per second, for batches of sentences x tokens.");
    }
    evaluation.comparisons().stream()
        .filter(each -> each.model().equals(student) && each.seeds() == null)
        .forEach(
            each ->
                text.append(
                    format(
                        " The %s of `%s` minus that of `%s` is %+.4f (standard error %.4f).",
                        each.metric(),
                        each.model(),
                        each.reference(),
                        each.difference(),
                        each.standardError())));
    return text.append("\n\n").toString();
  }

  private static String table(List<Evaluation.Model> models, List<Speed> speed) {
    List<String> columns =
        models.stream().flatMap(model -> model.metrics().keySet().stream()).distinct().toList();
    List<List<String>> rows = new ArrayList<>();
    List<String> heads = new ArrayList<>(List.of("model", "parameters"));
    heads.addAll(columns);
    heads.addAll(Speed.heads(speed));
    rows.add(heads);
    for (Evaluation.Model model : models) {
      List<String> row = new ArrayList<>(List.of(model.name(), format("%,d", model.parameters())));
      columns.forEach(column -> row.add(value(model, column)));
      row.addAll(Speed.cells(speed, model.name()));
      rows.add(row);
    }
    return markdown(rows);
  }

  private static String value(Evaluation.Model model, String metric) {
    Double value = model.metrics().get(metric);
    Double error = model.standardErrors().get(metric);
    return value == null
        ? ""
        : error == null ? format("%.4f", value) : format("%.4f ± %.4f", value, error);
  }

  private String forms() {
    Evaluation quality = record.quality();
    List<List<String>> rows = new ArrayList<>();
    List<String> heads = new ArrayList<>(List.of("file", "form", "size"));
    List<String> columns =
        quality == null ? List.of() : List.copyOf(quality.models().get(0).metrics().keySet());
    heads.addAll(columns);
    rows.add(heads);
    for (ExportRecord.Form form : record.forms()) {
      List<String> row =
          new ArrayList<>(List.of("`" + form.file() + "`", form.format(), form.size()));
      String name =
          form.format().equals(ExportFormat.HUGGINGFACE.id())
              ? FormEvaluation.WEIGHTS
              : form.format();
      Optional<Evaluation.Model> evaluated =
          quality == null
              ? Optional.empty()
              : quality.models().stream().filter(model -> model.name().equals(name)).findFirst();
      columns.forEach(column -> row.add(evaluated.map(model -> value(model, column)).orElse("")));
      rows.add(row);
    }
    StringBuilder text = new StringBuilder(markdown(rows)).append('\n');
    if (quality != null) {
      text.append(
          format(
              "Evaluated on %,d rows of %s; agreement is with the float32 weights.%n%n",
              quality.data().rows(), names(quality.data().paths())));
    }
    for (ExportRecord.Form form : record.forms()) {
      form.notes().forEach(note -> text.append(format("%s: %s.%n%n", form.format(), note)));
    }
    return text.toString();
  }

  private String usage() {
    if (spec instanceof BiLstmSpec biLstm && biLstm.texts() == BiLstmSpec.Texts.PAIR) {
      return "The model reads pairs of texts. The command predict applies it to a table whose"
          + " columns are named in `corpus.text` and `corpus.pair`.\n";
    }
    Task task = head.task();
    Map<String, String> values = new LinkedHashMap<>();
    values.put("directory", directory);
    values.put("example", task == Task.MASKED_LM ? "a text with a [MASK]" : EXAMPLE);
    values.put("task", pipeline());
    // What the translators in serving.properties return.
    values.put(
        "output", task == Task.NONE || task == Task.REGRESSION ? "float[]" : "Classifications");
    StringBuilder usage = new StringBuilder();
    boolean onnx = false;
    for (ExportRecord.Form form : record.forms()) {
      values.put("file", form.file());
      switch (ExportFormat.of(form.format())) {
        case HUGGINGFACE -> {
          if (spec instanceof EncoderSpec) {
            usage.append(filled("usage-huggingface.md", values));
          }
        }
        case ONNX, ONNX_INT8 -> {
          if (!onnx) {
            usage.append(filled("usage-onnx.md", values));
          }
          onnx = true;
        }
        case TORCHSCRIPT -> usage.append(filled("usage-torchscript.md", values));
        case NCNN -> {}
      }
    }
    return usage.append(sparkUsage()).toString();
  }

  /** Returns how a stage applies the model in Spark; "" if no stage computes an exported form. */
  private String sparkUsage() {
    Task task = head.task();
    Optional<String> path =
        has(ExportFormat.HUGGINGFACE)
            ? Optional.of(directory)
            : record.forms().stream()
                .filter(form -> !form.format().equals(ExportFormat.NCNN.id()))
                .map(form -> directory + "/" + form.file())
                .findFirst();
    boolean hiddenStates = task != Task.MASKED_LM || has(ExportFormat.HUGGINGFACE);
    if (task == Task.REGRESSION || !hiddenStates || path.isEmpty()) {
      return "";
    }
    return filled(
        "usage-spark.md",
        Map.of(
            "path", path.get(),
            "transformer", task.pooled() ? "TextClassifier" : "TextEmbedder",
            "column", task.pooled() ? "prediction" : "embedding"));
  }

  private String training() {
    Provenance provenance = record.provenance();
    StringBuilder text = new StringBuilder();
    Provenance.Teacher teacher = provenance.teacher();
    if (teacher != null) {
      text.append(format("- Teacher: `%s`, SHA-256 `%s`%n", teacher.path(), teacher.sha256()));
    }
    Provenance.Corpus corpus = provenance.corpus();
    if (corpus != null) {
      text.append(
          format(
              "- Corpus: %s, %,d rows, %,d tokens, SHA-256 `%s`%n",
              names(corpus.files()), corpus.rows(), corpus.tokens(), corpus.sha256()));
    }
    if (provenance.training() != null) {
      text.append(format("- Steps: %,d%n", provenance.training().steps()));
      provenance
          .training()
          .losses()
          .first()
          .forEach(
              (term, first) ->
                  text.append(
                      format(
                          "- Loss `%s`: %.4f in the first tenth of the steps, %.4f in the last"
                              + " tenth%n",
                          term,
                          first,
                          provenance.training().losses().last().getOrDefault(term, Double.NaN))));
    }
    if (!provenance.recipe().isEmpty()) {
      text.append("\nSettings other than defaults:\n\n```\n");
      provenance.recipe().forEach((key, value) -> text.append(format("%s = %s%n", key, value)));
      text.append("```\n");
    }
    return text.isEmpty() ? "There is no record of its training.\n" : text.toString();
  }

  /** Returns the names of files without their directories. */
  private static String names(List<String> paths) {
    return String.join(", ", paths.stream().map(path -> code(last(path))).toList());
  }

  /**
   * Returns the last name of a path, which may contain characters that Hadoop rejects, such as a
   * colon.
   */
  private static String last(String path) {
    String trimmed = path.replaceAll("/+$", "");
    return trimmed.substring(trimmed.lastIndexOf('/') + 1);
  }

  /** Returns text as inline code, on one line. */
  private static String code(String text) {
    String line = text.replaceAll("\\p{Cc}", " ");
    return line.contains("`") ? "`` " + line + " ``" : "`" + line + "`";
  }

  private static String markdown(List<List<String>> rows) {
    StringBuilder table = new StringBuilder();
    for (int row = 0; row < rows.size(); row++) {
      List<String> cells = rows.get(row).stream().map(cell -> cell.replace("|", "\\|")).toList();
      table.append(format("| %s |%n", String.join(" | ", cells)));
      if (row == 0) {
        table.append(format("|%s%n", " --- |".repeat(cells.size())));
      }
    }
    return table.toString();
  }

  private static String filled(String resource, Map<String, String> values) {
    try (InputStream file = ModelCard.class.getResourceAsStream(resource)) {
      String template =
          new String(Objects.requireNonNull(file, resource).readAllBytes(), StandardCharsets.UTF_8);
      return new StringSubstitutor(values)
          .setEnableUndefinedVariableException(true)
          .setDisableSubstitutionInValues(true)
          .replace(template);
    } catch (IOException e) {
      throw new UncheckedIOException("resource file " + resource + " cannot be read", e);
    }
  }
}

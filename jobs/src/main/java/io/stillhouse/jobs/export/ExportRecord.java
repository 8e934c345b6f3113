package io.stillhouse.jobs.export;

import io.stillhouse.error.Text;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.spec.ExportFormat;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The contents of {@code export.json}, from which the model card is written.
 *
 * @param directory the exported directory
 * @param version the version of this program
 * @param forms the exported forms, in the order of {@code export.formats}
 * @param quality the evaluation of the forms on {@code export.evaluate}, the float32 weights first;
 *     null if they were not evaluated
 * @param provenance the origin of the student
 */
public record ExportRecord(
    String directory,
    String version,
    List<Form> forms,
    @Nullable Evaluation quality,
    Provenance provenance) {
  static final String FILE = "export.json";

  /**
   * An exported form.
   *
   * @param format its id, as in {@code export.formats}
   * @param file the model's file in the exported directory; its largest, if it has several
   * @param bytes the size of its files, without the tokenizer
   * @param notes how it was made, for the model card, one sentence each
   */
  public record Form(String format, String file, long bytes, List<String> notes) {
    static Form of(ExportFormat format, long bytes, List<String> notes) {
      return new Form(format.id(), format.file(), bytes, notes);
    }

    /** Returns the size in megabytes, such as {@code 57.4 MB}. */
    public String size() {
      return Text.format("%.1f MB", bytes / 1e6);
    }
  }

  /** Returns the lines for the console: the directory and its forms, then their quality. */
  public List<String> lines() {
    String written =
        forms.stream()
            .map(form -> Text.format("%s %s", form.format(), form.size()))
            .collect(Collectors.joining(", "));
    String first = Text.format("exported %s: %s", directory, written);
    return quality == null ? List.of(first) : List.of(first, quality.table().stripTrailing());
  }
}

package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.cache.check.Fidelity;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the records say about the caches, the origin of the run, and its faults. */
final class RecordSections {
  private final Report report;

  RecordSections(Report report) {
    this.report = report;
  }

  @Nullable Section caches() {
    if (report.caches().isEmpty()) {
      return null;
    }
    List<String> paragraphs = new ArrayList<>();
    Table.Builder families =
        new Table.Builder("families", "Bytes by family")
            .column("cache", Table.Kind.TEXT)
            .column("family", Table.Kind.TEXT)
            .column("MB", Table.Kind.NUMBER)
            .column("share", Table.Kind.NUMBER)
            .column("bytes per token", Table.Kind.NUMBER);
    Table.Builder columns =
        new Table.Builder("columns", "Columns, and their errors against the live teacher")
            .column("column", Table.Kind.TEXT)
            .column("cache", Table.Kind.TEXT)
            .column("family", Table.Kind.TEXT)
            .column("MB", Table.Kind.NUMBER)
            .column("relative error", Table.Kind.NUMBER)
            .column("noise floor", Table.Kind.NUMBER)
            .column("limit", Table.Kind.NUMBER);
    for (CacheContents cache : report.caches()) {
      paragraphs.add(paragraph(cache));
      long all = Math.max(1, cache.bytes());
      cache
          .families()
          .forEach(
              (family, bytes) ->
                  families.row(
                      List.of(
                          cache.rowsOf(),
                          family,
                          format("%,.2f", bytes / 1e6),
                          format("%.1f %%", 100.0 * bytes / all),
                          format("%,.2f", (double) bytes / Math.max(1, cache.rows().tokens())))));
      cache.columns().forEach(column -> columns.row(column(cache, column)));
    }
    if (report.caches().stream().anyMatch(cache -> cache.checks().verified())) {
      paragraphs.add(
          "Errors of columns are relative to the output of the live teacher. The noise floor is the"
              + " error of the teacher itself if it reads the rows in other batches, and the limit"
              + " is the largest error that the column's dtype allows.");
    }
    return new Section(
        "cache", "Cache", paragraphs, List.of(), List.of(families.shown(), columns.folded()));
  }

  private static List<String> column(CacheContents cache, CacheContents.Column column) {
    Fidelity.ColumnError error = column.fidelity();
    List<String> row = new ArrayList<>();
    row.add(column.name());
    row.add(cache.rowsOf());
    row.add(column.family());
    row.add(column.bytes() == 0 ? "not stored" : format("%,.3f", column.bytes() / 1e6));
    row.add(error == null ? "–" : format("%.1e", error.error()));
    row.add(error == null ? "–" : format("%.1e", error.noise()));
    row.add(error == null ? "–" : format("%.1e", error.limit()));
    return row;
  }

  private static String paragraph(CacheContents cache) {
    String checked =
        !cache.checks().verified()
            ? "It has not been verified, so no errors of its columns are known (run verify)."
            : cache.checks().sound()
                ? "When last verified, it was complete, undamaged and faithful to the teacher."
                : "When last verified, it was damaged, incomplete or different from the teacher.";
    return format(
        "The cache of the %s has %,d rows, %,d tokens and %,d shards, and takes %,.1f MB (%.1f"
            + " bytes per token). %s",
        cache.rowsOf(),
        cache.rows().rows(),
        cache.rows().tokens(),
        cache.rows().shards(),
        cache.bytes() / 1e6,
        (double) cache.bytes() / Math.max(1, cache.rows().tokens()),
        checked);
  }

  Section origin() {
    Origin origin = report.origin();
    Table.Builder facts =
        new Table.Builder("facts", "Origin")
            .column("what", Table.Kind.TEXT)
            .column("value", Table.Kind.LONG_TEXT);
    facts.row(List.of("run", origin.directory()));
    for (CacheContents cache : report.caches()) {
      fact(facts, "teacher, SHA-256", cache.fingerprints().get("teacher.sha256"));
      fact(facts, "tokenizer, SHA-256", cache.fingerprints().get("tokenizer.sha256"));
      facts.row(List.of("corpus of the " + cache.rowsOf(), String.join(", ", cache.files())));
      fact(
          facts,
          "corpus of the " + cache.rowsOf() + ", SHA-256",
          cache.fingerprints().get("corpus.sha256"));
    }
    origin.environment().forEach((name, value) -> facts.row(List.of(name, value)));
    facts.row(List.of("report created", origin.created() + " by Stillhouse " + origin.version()));
    List<Table> tables = new ArrayList<>(List.of(facts.shown()));
    Table.Builder seconds =
        new Table.Builder("seconds", "Time by step")
            .column("step", Table.Kind.TEXT)
            .column("seconds", Table.Kind.NUMBER);
    origin
        .seconds()
        .forEach(
            (step, value) ->
                seconds.row(List.of(step, format("%,.0f", Double.parseDouble(value)))));
    if (!seconds.isEmpty()) {
      tables.add(seconds.shown());
    }
    Table.Builder recipe =
        new Table.Builder("recipe", "Settings other than defaults, of the newest training")
            .column("key", Table.Kind.TEXT)
            .column("value", Table.Kind.LONG_TEXT);
    for (Map.Entry<String, String> setting : origin.recipe().entrySet()) {
      recipe.row(List.of(setting.getKey(), setting.getValue()));
    }
    if (!recipe.isEmpty()) {
      tables.add(recipe.folded());
    }
    return new Section("origin", "Origin", List.of(), List.of(), tables);
  }

  private static void fact(Table.Builder to, String name, @Nullable String value) {
    if (value != null) {
      to.row(List.of(name, value));
    }
  }

  Section faults() {
    return new Section(
        "faults",
        "Retries and faults",
        report.faults().isEmpty()
            ? List.of("The records show no failed task, interruption or damaged file.")
            : report.faults(),
        List.of(),
        List.of());
  }
}

package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static io.stillhouse.jobs.Tiny.mistake;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every command that reads a corpus explains every mistake in it, or counts it and goes on. */
@Tag("spark")
class BadCorpusTest {
  private static final Map<String, String> SPARK =
      Map.of("spark.master", "local[2]", "spark.ui.enabled", "false");

  private static final int LONGEST = 600;

  @TempDir private static Path corpora;

  /** What the message says about each file. */
  private static final Map<String, String> PROBLEMS = new LinkedHashMap<>();

  @TempDir private Path directory;

  @BeforeAll
  static void writeCorpora() throws IOException {
    write("comma.csv", "text,label\nthe of,1\nto in, is,0\n", "3 fields instead of 2 (1, such as");
    write("quote.csv", "text,label\n\"the of,1\nto in,0\n", "a quote that is not closed");
    write("twice.csv", "text,label,text\na,1,b\n", "2 columns of the corpus have the name 'text'");
    write("header.csv", "text,label\n", "has no rows; name files with text");
    write("empty.tsv", "", "has no rows; name files with text");
    write("ragged.tsv", "text\tlabel\nthe of\t1\nto\n", "1 field instead of 2 (1, such as row");
    write("body.tsv", "body\tlabel\nthe of\t1\n", "has no column 'text' for its text");
    write("unlabelled.tsv", "text\tlabel\nthe of\t1\nto\t\n", "no label (1, such as row");
    write(
        "torn.jsonl", "{\"text\":\"the of\",\"label\":1}\n{\"text\":\"to", "not a JSON object (1,");
    write("array.json", "[{\"text\":\"the of\",\"label\":1}]\n", "it is a JSON array");
    write(
        "pretty.json", "{\n \"text\": \"the of\"\n}\n", "JSON with line breaks inside its objects");
    write("list.jsonl", "{\"text\":[\"the\"],\"label\":1}\n", "the text is a list (1, such as row");
    write("damaged.parquet", "PAR1 no footer", "cannot be read as PARQUET");
    write("binary.csv", "PAR1 no footer", "is a Parquet file; set corpus.format=parquet");
    String accent = "text\tlabel\ncaf\u00e9\t1\nof\t0\n";
    write(
        "latin.tsv",
        accent,
        StandardCharsets.ISO_8859_1,
        "not UTF-8 (1, such as row 'latin.tsv:0')");
    write("wide.tsv", accent, StandardCharsets.UTF_16, "byte order mark of UTF-16");
    byte[] zip = gzip("text\tlabel\n" + "the of\t1\n".repeat(99));
    Files.write(corpora.resolve("torn.tsv.gz"), Arrays.copyOf(zip, zip.length - 12));
    PROBLEMS.put("torn.tsv.gz", "cannot be decompressed");
    StringBuilder rows = new StringBuilder();
    for (int row = 0; row < 160; row++) {
      rows.append(format("{\"text\":\"the of %d\",\"label\":%d}\n", row, row % 3));
    }
    Files.writeString(corpora.resolve("rows.jsonl"), rows + "{\"text\":\"to");
    Tiny.spark().stop(); // each command opens and closes a session of its own
    SPARK.forEach(System::setProperty);
  }

  @AfterAll
  static void clearMaster() {
    SPARK.keySet().forEach(System::clearProperty);
  }

  private static void write(String name, String content, String problem) throws IOException {
    write(name, content, StandardCharsets.UTF_8, problem);
  }

  private static void write(String name, String content, Charset charset, String problem)
      throws IOException {
    Files.write(corpora.resolve(name), content.getBytes(charset));
    PROBLEMS.put(name, problem);
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return out.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cache", "finetune", "evaluate", "augment", "head-importance", "plan", "distill"})
  void explainsEveryMistake(String command) {
    PROBLEMS.forEach(
        (name, problem) -> {
          if (name.equals("unlabelled.tsv") && List.of("augment", "distill").contains(command)) {
            return; // copies keep the label, whatever it is; text without one is for the teacher
          }
          String message = mistake(command(command, name));
          assertThat(message).as("%s of %s", command, name).contains(problem);
          assertThat(message.length() - 3 * corpora.toString().length()).isLessThan(LONGEST);
          assertThat(directory.toFile().list()).isSubsetOf("distilled");
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"cache", "finetune", "evaluate", "augment", "head-importance", "distill"})
  void tellsInLastLineWhatItLeftOut(String command) {
    assertThat(lastLine(command(command, "rows.jsonl")))
        .isEqualTo("left out 1 of 161 rows: not a JSON object (1, such as row 'rows.jsonl:160')");
  }

  @Test
  void secondRunTellsItAgain() {
    String first = lastLine(command("cache", "rows.jsonl"));

    assertThat(lastLine(command("cache", "rows.jsonl"))).isEqualTo(first).startsWith("left out 1");
  }

  @Test
  void failsAtFirstInvalidRowIfRecipeSaysSo() {
    assertThat(mistake(command("cache", "rows.jsonl", "corpus.invalid-rows=fail")))
        .contains(
            "1 of 161 rows are invalid: not a JSON object (1, such as row 'rows.jsonl:160');"
                + " correct them, or leave them out with corpus.invalid-rows=skip");
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void settingOfMessageLeavesRowsOut() {
    String message = mistake(command("cache", "comma.csv"));
    String setting = message.strip().replaceAll("(?s).* with (corpus\\.max-invalid=\\S+)$", "$1");

    assertThat(setting).isEqualTo("corpus.max-invalid=0.5");
    assertThat(lastLine(command("cache", "comma.csv", setting)))
        .startsWith("left out 1 of 2 rows: 3 fields instead of 2");
  }

  private String[] command(String command, String name, String... more) {
    List<String> words = new ArrayList<>(List.of(command));
    words.addAll(
        command.equals("distill")
            ? List.of(corpora.resolve(name).toString(), directory.resolve("distilled").toString())
            : List.of("corpus.path=" + corpora.resolve(name)));
    words.addAll(List.of("corpus.text=text", "corpus.label=label", "corpus.max-length=40"));
    words.addAll(
        switch (command) {
          case "finetune" ->
              List.of(
                  "finetune.from=" + Tiny.MLM,
                  "finetune.to=" + directory.resolve("out"),
                  "corpus.classes=[0, 1, 2]",
                  "train.max-steps=1");
          case "evaluate" ->
              List.of(
                  "teacher.path=" + Tiny.CLS,
                  "evaluate.models=" + Tiny.CLS,
                  "train.path=" + directory.resolve("none"),
                  "evaluate.output=" + directory.resolve("out.json"));
          case "augment" -> List.of("augment.kind=rules", "augment.to=" + directory.resolve("out"));
          case "head-importance" ->
              List.of(
                  "teacher.path=" + Tiny.CLS,
                  "head-importance.output=" + directory.resolve("out.json"));
          case "distill" ->
              List.of(
                  "teacher.path=" + Tiny.MLM,
                  "distill.teacher-steps=1",
                  "train.max-steps=2",
                  "train.eval-every=1",
                  "plan.seconds=5",
                  "evaluate.speed=false",
                  "train.threads=1");
          case "plan" ->
              List.of(
                  "teacher.path=" + Tiny.CLS,
                  "cache.path=" + directory.resolve("out"),
                  "plan.output=" + directory.resolve("plan.json"),
                  "student.layers=1",
                  "loss.soft-label.weight=1");
          default -> List.of("teacher.path=" + Tiny.CLS, "cache.path=" + directory.resolve("out"));
        });
    words.addAll(List.of(more));
    return words.toArray(String[]::new);
  }

  /** Returns the last line that a command prints, before that with the path of its report. */
  private static String lastLine(String... command) {
    PrintStream stdout = System.out;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
    try {
      assertThat(Stillhouse.run(command)).isZero();
    } finally {
      System.setOut(stdout);
    }
    List<String> lines =
        captured
            .toString(StandardCharsets.UTF_8)
            .lines()
            .filter(line -> !line.startsWith("report: "))
            .toList();
    return lines.get(lines.size() - 1);
  }
}

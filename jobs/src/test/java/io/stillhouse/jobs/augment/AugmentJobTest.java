package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class AugmentJobTest {
  private static final int ROWS = 100;

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void copiesAreKeyedByTheirOriginAndCarryItsLabel() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), ROWS, "1", "0");
    AugmentJob.Result result = augment(maskedLm(rows, "out"));

    Map<String, Row> originals = new TreeMap<>();
    Map<String, List<Row>> copies = new TreeMap<>();
    for (Row row : read("out")) {
      String id = row.getAs("id");
      String origin = row.getAs("origin");
      assertThat(id).matches("rows\\.tsv:\\d+\\+\\d+").startsWith(origin + "+");
      if (id.endsWith("+0")) {
        originals.put(origin, row);
      } else {
        copies.computeIfAbsent(origin, key -> new ArrayList<>()).add(row);
      }
    }
    assertThat(originals).hasSize(ROWS);
    List<String> source = Files.readAllLines(rows);
    originals.forEach(
        (key, row) -> {
          String line = source.get(1 + Integer.parseInt(key.substring(key.indexOf(':') + 1)));
          assertThat(row.<String>getAs("text") + "\t" + row.<String>getAs("label")).isEqualTo(line);
          List<Row> own = copies.getOrDefault(key, List.of());
          assertThat(own)
              .extracting(copy -> copy.<String>getAs("text"))
              .doesNotHaveDuplicates()
              .doesNotContain(row.<String>getAs("text"));
          assertThat(own)
              .extracting(copy -> copy.<String>getAs("label"))
              .containsOnly(row.<String>getAs("label"));
        });
    long all = copies.values().stream().mapToInt(List::size).sum();
    assertThat(all).isGreaterThan(200);
    assertThat(result.counts().rowsIn()).isEqualTo(ROWS);
    assertThat(result.counts().rowsOut()).isEqualTo(ROWS + all);
    assertThat(result.counts().duplicates()).isEqualTo(5L * ROWS - all);
    JsonObject report =
        JsonParser.parseString(Files.readString(directory.resolve("out/_augment.json")))
            .getAsJsonObject();
    assertThat(report.get("rowsOut").getAsLong()).isEqualTo(ROWS + all);
    assertThat(report.getAsJsonObject("settings").get("augment.copies").getAsString())
        .isEqualTo("5");
    assertThat(Files.list(directory).map(path -> path.getFileName().toString()))
        .containsExactlyInAnyOrder("rows.tsv", "out");
  }

  @Test
  void theSameRecipeGivesTheSameFilesHoweverTheTextIsCut() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), ROWS, "1", "0");
    augment(maskedLm(rows, "one"));
    augment(rules(rows, "rules-one"));
    String cut = spark.conf().get("spark.sql.files.maxPartitionBytes");
    String open = spark.conf().get("spark.sql.files.openCostInBytes");
    spark.conf().set("spark.sql.files.maxPartitionBytes", Files.size(rows) / 3 + 1);
    spark.conf().set("spark.sql.files.openCostInBytes", 1);
    try {
      augment(maskedLm(rows, "three"));
      augment(rules(rows, "rules-three"));
    } finally {
      spark.conf().set("spark.sql.files.maxPartitionBytes", cut);
      spark.conf().set("spark.sql.files.openCostInBytes", open);
    }
    for (String kind : List.of("", "rules-")) {
      assertThat(parts(kind + "one")).hasSizeGreaterThan(2).isEqualTo(parts(kind + "three"));
    }
    augment(with(maskedLm(rows, "other"), "train.seed=43"));
    assertThat(texts("other")).isNotEqualTo(texts("one"));
  }

  @Test
  void aCacheReadsTheLargerCorpusAndFindsTheOrigins() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 40, "1", "0");
    AugmentJob.Result result = augment(with(maskedLm(rows, "out"), "corpus.limit=30"));
    assertThat(result.next())
        .containsExactly(
            "corpus.path=" + directory.resolve("out"),
            "corpus.text=text",
            "corpus.label=label",
            "corpus.id=id",
            "corpus.format=parquet",
            "corpus.limit=0");
    List<String> recipe =
        new ArrayList<>(
            List.of(
                "teacher.path=" + Tiny.CLS,
                "corpus.max-length=40",
                "cache.path=" + directory.resolve("cache")));
    recipe.addAll(result.next());
    CacheRecord cached = new CacheJob(spark, Tiny.settings(recipe)).run();

    assertThat(cached.rows()).isEqualTo(result.counts().rowsOut());
    List<String> origins =
        spark
            .read()
            .parquet(directory.resolve("cache/inputs").toString())
            .select("id")
            .collectAsList()
            .stream()
            .map(row -> row.getString(0).replaceAll("\\+\\d+$", ""))
            .distinct()
            .sorted()
            .toList();
    assertThat(origins)
        .hasSize(30)
        .isEqualTo(
            java.util.stream.IntStream.range(0, 30)
                .mapToObj(i -> "rows.tsv:" + i)
                .sorted()
                .toList());
  }

  @Test
  void bothTextsOfAPairAreRewritten() throws IOException {
    Path pairs = pairs();
    augment(with(maskedLm(pairs, "out"), "corpus.pair=pair", "augment.replace-probability=1"));
    for (Row row : read("out")) {
      boolean copy = !row.<String>getAs("id").endsWith("+0");
      assertThat(row.<String>getAs("text").contains("he not")).isEqualTo(!copy);
      assertThat(row.<String>getAs("pair").contains("had were")).isEqualTo(!copy);
    }
    assertThat(read("out")).hasSizeGreaterThan(10);
  }

  @Test
  void rulesChangeTheTextsOfAPairInTurn() throws IOException {
    Path pairs = pairs();
    augment(
        with(
            rules(pairs, "out"),
            "corpus.pair=pair",
            "augment.mask-probability=1",
            "augment.pos-probability=0",
            "augment.ngram-probability=0"));
    assertThat(
            read("out").stream()
                .filter(row -> row.<String>getAs("origin").equals("pairs.tsv:0"))
                .map(row -> row.getAs("id") + "|" + row.getAs("text") + "|" + row.getAs("pair")))
        .containsExactlyInAnyOrder(
            "pairs.tsv:0+0|he not 0|had were",
            "pairs.tsv:0+1|[MASK] [MASK] [MASK]|had were",
            "pairs.tsv:0+2|he not 0|[MASK] [MASK]",
            "pairs.tsv:0+3|[MASK] [MASK] [MASK]|[MASK] [MASK]");
  }

  @Test
  void wordsOfSeveralPiecesGetTheNearestWordsOrAreMaskedWhole() throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.writeString(rows, "text\tlabel\nwed\t1\nbing\t0\n");
    List<String> all = with(maskedLm(rows, "pieces"), "augment.replace-probability=1");
    augment(all);
    assertThat(texts("pieces")).hasSizeGreaterThan(4).contains("wed", "bing");
    assertThat(texts("pieces")).allSatisfy(text -> assertThat(text).matches("[a-z]{2,}|a|i"));
    assertThat(maskedWords("pieces")).isZero();

    augment(with(all, "augment.to=" + directory.resolve("whole"), "augment.word-vectors=none"));
    assertThat(maskedWords("whole")).isEqualTo(2);
    assertThat(texts("whole")).hasSizeGreaterThan(4);

    Path vectors = directory.resolve("vectors.txt");
    Files.writeString(
        vectors, "wed 1 0\nthe 1 0.02\nb 1 0.03\nwedding 1 0.1\nmarried 1 0.2\nspring 0 1\n");
    augment(
        with(
            all,
            "augment.to=" + directory.resolve("file"),
            "augment.word-vectors=" + vectors,
            "augment.model=" + withContentWords(),
            "augment.stop-words=kept",
            "augment.candidates=2"));
    assertThat(texts("file")).containsExactlyInAnyOrder("wed", "wedding", "married", "bing");
  }

  @Test
  void stopWordsStayAndTakeNoPlaceUnlessTheRecipeSaysSo() throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.writeString(rows, "text\tlabel\nthe 7 film of .\t1\n");
    Path model = withContentWords();
    List<String> all =
        with(maskedLm(rows, "replaced"), "augment.model=" + model, "augment.replace-probability=1");
    augment(all);
    assertThat(texts("replaced"))
        .hasSizeGreaterThan(3)
        .filteredOn(text -> !text.equals("the 7 film of ."))
        .allSatisfy(
            text -> assertThat(text).matches("(?!the)[a-z]+ 7 (?!film)[a-z]+ (?!of)[a-z]+ \\."));
    augment(with(all, "augment.to=" + directory.resolve("kept"), "augment.stop-words=kept"));
    assertThat(texts("kept"))
        .hasSizeGreaterThan(2)
        .isSubsetOf("the 7 film of .", "the 7 plot of .", "the 7 actor of .", "the 7 scene of .");

    assertThatThrownBy(
            () ->
                augment(
                    with(
                        all,
                        "augment.to=" + directory.resolve("out"),
                        "augment.model=" + Tiny.MLM,
                        "augment.stop-words=kept")))
        .hasStackTraceContaining(
            "the vocabulary of 'file:%s' holds no word that could take another's place; set augment.stop-words=replaced"
                .formatted(Tiny.MLM));
  }

  @Test
  void theModelMayReadTheOriginalAndLongTextsInAWindow() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 40, "1", "0");
    List<String> all = with(maskedLm(rows, "long"), "corpus.max-length=9");
    augment(all);
    augment(with(all, "augment.to=" + directory.resolve("shown"), "augment.show-original=true"));
    // Rows of up to 25 words, of which the model reads 7, or 3 twice: the last words change, too.
    for (String out : List.of("long", "shown")) {
      assertThat(
              read(out).stream()
                  .filter(row -> !row.<String>getAs("id").endsWith("+0"))
                  .filter(row -> row.<String>getAs("text").split(" ").length > 15)
                  .map(row -> row.<String>getAs("text").split(" ")[14])
                  .collect(Collectors.toSet()))
          .hasSizeGreaterThan(15);
    }
    assertThat(texts("shown")).isNotEqualTo(texts("long"));
  }

  @Test
  void rowsWithoutTextAreLeftOutAndCounted() throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.write(
        rows,
        new byte[] {
          't',
          '\t',
          'l',
          '\n',
          ' ',
          '\t',
          '1',
          '\n',
          'h',
          'e',
          (byte) 0xff,
          '\t',
          '1',
          '\n',
          'h',
          'e',
          ' ',
          'h',
          'a',
          'd',
          '\t',
          '1',
          '\n'
        });
    AugmentJob.Result result = augment(with(rules(rows, "out"), "corpus.text=t", "corpus.label=l"));
    assertThat(result.counts().rowsIn()).isEqualTo(3);
    assertThat(result.counts().leftOut()).isEqualTo(2);
    assertThat(read("out"))
        .extracting(row -> row.<String>getAs("origin"))
        .containsOnly("rows.tsv:2");
  }

  @Test
  void theRowsThemselvesMayBeLeftOut() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 20, "1", "0");
    AugmentJob.Result result = augment(with(rules(rows, "out"), "augment.keep-original=false"));
    assertThat(read("out")).hasSize((int) result.counts().rowsOut());
    assertThat(read("out")).noneMatch(row -> row.<String>getAs("id").endsWith("+0"));
  }

  @Test
  void linesOfProseStayProse() throws IOException {
    Path lines = Tiny.lines(directory.resolve("lines.txt"), 20);
    AugmentJob.Result result =
        augment(
            List.of(
                "corpus.path=" + lines,
                "augment.kind=rules",
                "augment.copies=2",
                "augment.to=" + directory.resolve("out")));
    assertThat(result.next())
        .containsExactly(
            "corpus.path=" + directory.resolve("out"),
            "corpus.text=text",
            "corpus.id=id",
            "corpus.format=parquet",
            "corpus.segment=windows");
  }

  @Test
  void refusesWhatIsThereAlready() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 20, "1", "0");
    augment(rules(rows, "out"));
    assertThatThrownBy(() -> augment(rules(rows, "out")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("augment.to '")
        .hasMessageEndingWith("out' exists already; remove it, or name another");
  }

  @Test
  void refusesModelsThatCannotSayWhatIsLikely() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 20, "1", "0");
    assertThatThrownBy(() -> augment(with(maskedLm(rows, "out"), "augment.model=" + Tiny.CLS)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("augment.model 'file:" + Tiny.CLS + "' has no masked-LM head")
        .hasMessageEndingWith(
            "set augment.model to the masked LM that it was made from, or augment.kind=rules");
    assertThatThrownBy(
            () ->
                augment(with(maskedLm(rows, "out"), "augment.model=", "teacher.path=" + Tiny.CLS)))
        .hasMessageContaining("teacher.path 'file:" + Tiny.CLS + "' has no masked-LM head");
    assertThatThrownBy(() -> augment(with(maskedLm(rows, "out"), "augment.model=")))
        .hasMessageContaining("augment.model is missing")
        .hasMessageEndingWith("name a masked LM, or set augment.kind=rules, which needs no model");
    assertThatThrownBy(() -> augment(with(maskedLm(rows, "out"), "corpus.max-length=41")))
        .hasMessage(
            "corpus.max-length must be at most the positions of augment.model, 40, but is '41'");
    assertThatThrownBy(
            () ->
                augment(
                    with(
                        maskedLm(rows, "out"),
                        "corpus.max-length=4",
                        "augment.show-original=true")))
        .hasMessage(
            "corpus.max-length must be 5 or more where augment.show-original is true, but is '4'");
    assertThatThrownBy(
            () ->
                augment(
                    with(maskedLm(rows, "out"), "augment.word-vectors=" + directory.resolve("no"))))
        .hasMessageContaining("augment.word-vectors does not exist: '" + directory.resolve("no"));
  }

  @Test
  void refusesProbabilitiesThatAddUpToMoreThanOne() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 20, "1", "0");
    assertThatThrownBy(
            () ->
                augment(
                    with(
                        rules(rows, "out"),
                        "augment.mask-probability=0.6",
                        "augment.pos-probability=0.5")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "augment.mask-probability (0.6) and augment.pos-probability (0.5) exclude each other,"
                + " but add up to more than 1; lower one of them");
  }

  @Test
  void aCorpusWithoutTextLeavesNothingBehind() throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.writeString(rows, "text\tlabel\n \t1\n");
    assertThatThrownBy(() -> augment(rules(rows, "out")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("holds text to augment ({empty=1}); name files with text");
    assertThat(Files.list(directory)).containsExactly(rows);
  }

  @Test
  void aSmallCorpusIsCutFinerAndOnlyTheCorpusDecidesHow() {
    assertThat(AugmentJob.parts(1, 512)).isEqualTo(1);
    assertThat(AugmentJob.parts(200, 512)).isEqualTo(7);
    assertThat(AugmentJob.parts(1600, 512)).isEqualTo(16);
    assertThat(AugmentJob.parts(67_349, 512)).isEqualTo(132);
  }

  /** Returns the tiny masked LM with words that are no stop words in place of unused ones. */
  private Path withContentWords() throws IOException {
    Path model = Files.createDirectory(directory.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(Tiny.MLM.resolve(file), model.resolve(file));
    }
    String vocabulary = Files.readString(Tiny.MLM.resolve("vocab.txt"));
    List<String> words = List.of("film", "plot", "actor", "scene");
    for (int word = 0; word < words.size(); word++) {
      vocabulary = vocabulary.replace("[unused%d]\n".formatted(word), words.get(word) + "\n");
    }
    Files.writeString(model.resolve("vocab.txt"), vocabulary);
    return model;
  }

  private Path pairs() throws IOException {
    StringBuilder table = new StringBuilder("text\tpair\tlabel\n");
    for (int row = 0; row < 8; row++) {
      table.append("he not ").append(row).append("\thad were\t1\n");
    }
    return Files.writeString(directory.resolve("pairs.tsv"), table);
  }

  private List<String> maskedLm(Path rows, String out) {
    return List.of(
        "corpus.path=" + rows,
        "corpus.text=text",
        "corpus.label=label",
        "corpus.max-length=40",
        "augment.model=" + Tiny.MLM,
        "augment.stop-words=replaced", // its vocabulary has no other words
        "augment.copies=5",
        "augment.to=" + directory.resolve(out));
  }

  private List<String> rules(Path rows, String out) {
    return List.of(
        "corpus.path=" + rows,
        "corpus.text=text",
        "corpus.label=label",
        "augment.kind=rules",
        "augment.copies=3",
        "augment.to=" + directory.resolve(out));
  }

  private static List<String> with(List<String> some, String... more) {
    List<String> all = new ArrayList<>(some);
    all.addAll(List.of(more));
    return all;
  }

  private AugmentJob.Result augment(List<String> settings) throws IOException {
    return new AugmentJob(spark, Tiny.settings(settings)).run();
  }

  private List<Row> read(String out) {
    return spark.read().parquet(directory.resolve(out).toString()).collectAsList();
  }

  private List<String> texts(String out) {
    return read(out).stream().map(row -> row.<String>getAs("text")).sorted().distinct().toList();
  }

  private long maskedWords(String out) throws IOException {
    return JsonParser.parseString(Files.readString(directory.resolve(out + "/_augment.json")))
        .getAsJsonObject()
        .get("maskedWords")
        .getAsLong();
  }

  /** Returns the rows of each file, in their order, by its name. */
  private Map<String, List<Row>> parts(String out) throws IOException {
    Map<String, List<Row>> parts = new TreeMap<>();
    for (String name : Tiny.files(directory.resolve(out)).keySet()) {
      if (name.endsWith(".parquet")) {
        parts.put(name, read(out + "/" + name));
      }
    }
    return parts;
  }
}

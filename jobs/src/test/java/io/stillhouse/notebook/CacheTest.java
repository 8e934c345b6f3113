package io.stillhouse.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class CacheTest {
  private static final int ROWS = 60;

  @TempDir private static Path directory;
  private static Path corpus;
  private static Path path;
  private static Cache cache;

  @BeforeAll
  static void buildsCache() throws IOException {
    corpus = Tiny.labelled(directory.resolve("corpus.tsv"), ROWS, "2", "0");
    Files.writeString(corpus, Files.readString(corpus) + "\t1\n"); // a row without tokens
    path = build("cache", "targets.scores=stored", "targets.value-relations=[2]");
    cache = Cache.open(Tiny.spark(), path.toString());
  }

  private static Path build(String name, String... more) throws IOException {
    Path built = directory.resolve(name);
    TinyRecipe recipe =
        TinyRecipe.labelled(corpus)
            .cache(built)
            .shardTokens(256)
            .tinyBertTargets()
            .with("corpus.classes=[0,1,2]", "corpus.max-invalid=1")
            .with(more);
    new CacheJob(Tiny.spark(), recipe.settings()).run();
    return built;
  }

  @Test
  void familiesCountRowsOfManifest() {
    List<Row> families = cache.families().collectAsList();
    assertThat(families)
        .extracting(row -> row.<String>getAs("family"))
        .containsExactly("inputs", "logits", "hidden", "attention");
    assertThat(families).allSatisfy(row -> assertThat(row.<Long>getAs("rows")).isEqualTo(ROWS + 1));
    assertThat(cache.shards().agg(functions.sum("rows"), functions.sum("invalid")).first())
        .isEqualTo(RowFactory.create(ROWS + 1L, 1L));
  }

  @Test
  void rowsHaveTokensAsWords() {
    List<Row> rows = cache.rows().where("status is null").collectAsList();
    assertThat(rows).hasSize(ROWS);
    assertThat(rows)
        .allSatisfy(
            row -> {
              List<String> tokens = row.getList(row.fieldIndex("tokens"));
              assertThat(tokens).hasSize(row.<Integer>getAs("length"));
              String words =
                  String.join(" ", tokens.subList(1, tokens.size() - 1)).replace(" ##", "");
              assertThat(words).isEqualTo(row.getAs("text"));
            });
  }

  @Test
  void rowWithoutTokensHasStatusAndNoTargets() {
    Row row = cache.rows("logits").where("status is not null").first();
    assertThat(row.<String>getAs("status")).isEqualTo("empty");
    assertThat(row.isNullAt(row.fieldIndex("logits"))).isTrue();
  }

  @Test
  void dtypesDecodeToTheSameNumbers() throws IOException {
    String[] columns = {"hidden_03", "attention_03"};
    Map<String, Row> float32 = byId(cache, columns);
    Map<String, Double> tolerances = Map.of("float16", 4e-3, "int8", 8e-2);
    for (Map.Entry<String, Double> dtype : tolerances.entrySet()) {
      Path other =
          build(dtype.getKey(), "targets.scores=stored", "targets.dtype=" + dtype.getKey());
      Map<String, Row> rows = byId(Cache.open(Tiny.spark(), other.toString()), columns);
      assertThat(rows.keySet()).isEqualTo(float32.keySet());
      rows.forEach(
          (id, row) -> {
            for (String column : columns) {
              double[] stored = numbers(row.getAs(column));
              double[] expected = numbers(float32.get(id).getAs(column));
              assertThat(stored).hasSameSizeAs(expected);
              assertThat(stored).containsExactly(expected, within(dtype.getValue()));
            }
          });
    }
  }

  @Test
  void sampleHasSoManyRows() {
    assertThat(cache.sample(7).rows().count()).isEqualTo(7);
    assertThat(cache.sample(1000).rows().count()).isEqualTo(ROWS + 1);
    assertThatThrownBy(() -> cache.sample(0))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("the number of rows must be >= 1, but is '0'");
  }

  @Test
  void attentionOfQueriesSumsToOneWhetherStoredOrComputed() {
    String id = cache.rows().where("length > 5").first().getAs("id");
    List<Row> sums =
        cache
            .attention(id)
            .groupBy("layer", "head", "query")
            .agg(functions.sum("weight"), functions.count("*"))
            .collectAsList();
    long length = sums.get(0).getLong(4);
    assertThat(sums).hasSize((int) (Tiny.LAYERS * Tiny.HEADS * length));
    assertThat(sums).allSatisfy(row -> assertThat(row.getDouble(3)).isCloseTo(1, within(1e-9)));
  }

  @Test
  void storedScoresGiveAttentionOfTeacher() throws IOException {
    Cache withoutScores = Cache.open(Tiny.spark(), build("hidden").toString());
    String id = cache.rows().where("length > 5").first().getAs("id");
    List<Row> stored = cache.attention(id).orderBy("layer", "head", "query", "key").collectAsList();
    List<Row> computed =
        withoutScores.attention(id).orderBy("layer", "head", "query", "key").collectAsList();
    assertThat(stored).hasSameSizeAs(computed);
    for (int n = 0; n < stored.size(); n++) {
      assertThat(stored.get(n).<Double>getAs("weight"))
          .isCloseTo(computed.get(n).<Double>getAs("weight"), within(1e-3));
    }
  }

  @Test
  void headsAgreeWithAttentionMaps() {
    Cache one = cache.sample(1);
    String id = one.rows().first().getAs("id");
    List<Row> heads = one.heads().collectAsList();
    assertThat(heads).hasSize(Tiny.LAYERS * Tiny.HEADS);
    List<Row> expected =
        one.attention(id)
            .groupBy("layer", "head")
            .agg(
                functions.expr("sum(weight * abs(query - key)) / count(DISTINCT query)"),
                functions.expr("-sum(weight * ln(weight)) / count(DISTINCT query)"),
                functions.expr("sum(if(query = key, weight, 0)) / count(DISTINCT query)"),
                functions.expr(
                    "sum(if(key_token IN ('[CLS]', '[SEP]'), weight, 0)) / count(DISTINCT query)"),
                functions.expr("ln(count(DISTINCT query))"))
            .orderBy("layer", "head")
            .collectAsList();
    for (int n = 0; n < heads.size(); n++) {
      Row head = heads.get(n);
      assertThat(head.<Double>getAs("distance"))
          .isCloseTo(expected.get(n).getDouble(2), within(1e-9));
      double entropy = head.getAs("entropy");
      assertThat(entropy).isCloseTo(expected.get(n).getDouble(3), within(1e-9));
      assertThat(head.<Double>getAs("self")).isCloseTo(expected.get(n).getDouble(4), within(1e-9));
      assertThat(head.<Double>getAs("special"))
          .isCloseTo(expected.get(n).getDouble(5), within(1e-9));
      assertThat(head.<Double>getAs("relative_entropy"))
          .isCloseTo(entropy / expected.get(n).getDouble(6), within(1e-9));
    }
  }

  @Test
  void certaintyIsThatOfStoredLogits() {
    List<Row> rows = cache.certainty().collectAsList();
    assertThat(rows).hasSize(ROWS);
    Map<String, Row> logits = byId(cache, "logits");
    for (Row row : rows) {
      double[] probabilities = numbers(logits.get(row.<String>getAs("id")).getAs("logits"));
      double sum = 0;
      for (int c = 0; c < probabilities.length; c++) {
        probabilities[c] = Math.exp(probabilities[c]);
        sum += probabilities[c];
      }
      double entropy = 0;
      double largest = 0;
      for (double power : probabilities) {
        entropy -= power / sum * Math.log(power / sum);
        largest = Math.max(largest, power / sum);
      }
      assertThat(row.<Double>getAs("entropy")).isCloseTo(entropy, within(1e-5));
      assertThat(row.<Double>getAs("probability")).isCloseTo(largest, within(1e-5));
      assertThat(row.<String>getAs("class_name")).isIn("LABEL_2", "LABEL_0");
      assertThat(row.<Boolean>getAs("correct"))
          .isEqualTo(row.getAs("class_name").equals(row.getAs("predicted")));
    }
  }

  @Test
  void magnitudesAreThoseOfDecodedNumbers() {
    Row row = cache.magnitudes().where("column = 'hidden_03'").first();
    double[] all =
        byId(cache, "hidden_03").values().stream()
            .flatMapToDouble(each -> Arrays.stream(numbers(each.getAs("hidden_03"))))
            .toArray();
    double squares = Arrays.stream(all).map(number -> number * number).sum();
    assertThat(row.<Long>getAs("numbers")).isEqualTo(all.length);
    assertThat(row.<Double>getAs("rms")).isCloseTo(Math.sqrt(squares / all.length), within(1e-9));
    assertThat(row.<Double>getAs("largest"))
        .isEqualTo(Arrays.stream(all).map(Math::abs).max().orElseThrow());
    assertThat(row.<Long>getAs("not_finite")).isZero();
  }

  @Test
  void lengthsCountRowsWithTokens() {
    assertThat(cache.lengths().agg(functions.sum("rows")).first().getLong(0)).isEqualTo(ROWS);
    assertThat(cache.lengths().collectAsList())
        .allSatisfy(row -> assertThat(row.getLong(0) % 8).isZero());
  }

  @Test
  void readsOnlyFilesOfManifest() throws IOException {
    Path copy = Tiny.copy(path, directory.resolve("leftovers"));
    Path hidden = copy.resolve("hidden");
    try (var files = Files.list(hidden)) {
      Path file =
          files.filter(each -> each.toString().endsWith(".parquet")).findAny().orElseThrow();
      Files.copy(file, hidden.resolve("shard-000000-ffffffff.parquet"));
    }
    Cache opened = Cache.open(Tiny.spark(), copy.toString());
    assertThat(opened.rows("hidden_03").count()).isEqualTo(ROWS + 1);
  }

  @Test
  void reportsDamagedFile() throws IOException {
    Path copy = Tiny.copy(path, directory.resolve("damaged"));
    try (var files = Files.list(copy.resolve("hidden"))) {
      Path file =
          files.filter(each -> each.toString().endsWith(".parquet")).findAny().orElseThrow();
      byte[] bytes = Files.readAllBytes(file);
      bytes[bytes.length / 2] ^= 1;
      Files.write(file, bytes);
    }
    Cache opened = Cache.open(Tiny.spark(), copy.toString());
    assertThatThrownBy(() -> opened.rows("hidden_00", "hidden_03").collectAsList())
        .hasStackTraceContaining("StillhouseException")
        .hasStackTraceContaining("is damaged");
  }

  @Test
  void reportsMistakes() {
    assertThatThrownBy(() -> Cache.open(Tiny.spark(), "nowhere"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the cache does not exist: 'nowhere'");
    assertThatThrownBy(() -> Cache.open(Tiny.spark(), directory.toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("is not a finished cache: it has no plan.json");
    assertThatThrownBy(() -> cache.rows("hidden_02"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "has no column 'hidden_02'; it has [attention_03, hidden_00, hidden_03, logits,"
                + " value_relations_02]");
    assertThatThrownBy(() -> cache.teacher("other"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no teacher 'other'");
  }

  @Test
  void maskedLmSoftLabelsDecodeToTokens() throws IOException {
    Path lines = Tiny.lines(directory.resolve("lines.txt"), 20);
    TinyRecipe recipe =
        TinyRecipe.text(lines).with("targets.mask-probability=0.3", "targets.mlm-positions=all");
    Path top = directory.resolve("top");
    new CacheJob(
            Tiny.spark(), recipe.cache(top).settings("targets.mlm-logits=top-k", "targets.top-k=4"))
        .run();
    Path sampled = directory.resolve("sampled");
    new CacheJob(
            Tiny.spark(),
            recipe.cache(sampled).settings("targets.mlm-logits=sampled", "targets.samples=5"))
        .run();

    Cache ofTop = Cache.open(Tiny.spark(), top.toString());
    for (Row row : ofTop.rows("mlm_top_4_ids", "mlm_top_4_logits").collectAsList()) {
      int length = row.getAs("length");
      double[] ids = numbers(row.getAs("mlm_top_4_ids"));
      assertThat(ids).hasSize(4 * length);
      assertThat(Arrays.stream(ids).min().orElseThrow()).isNotNegative();
      assertThat(row.getList(row.fieldIndex("mlm_top_4_logits"))).hasSize(length);
    }
    assertThat(ofTop.certainty().isEmpty()).isTrue();
    Cache ofDraws = Cache.open(Tiny.spark(), sampled.toString());
    String[] columns = {"mlm_sample_5_t2_counts", "mlm_sample_5_t2_ids"};
    for (Row row : ofDraws.rows(columns).collectAsList()) {
      double[] counts = numbers(row.getAs(columns[0]));
      assertThat(Arrays.stream(counts).sum()).isEqualTo(5.0 * row.<Integer>getAs("length"));
      assertThat(numbers(row.getAs(columns[1]))).hasSameSizeAs(counts);
    }
    assertThat(ofDraws.rows(columns[1]).collectAsList()).hasSize(20);
  }

  private static Map<String, Row> byId(Cache cache, String... columns) {
    Map<String, Row> rows = new TreeMap<>();
    cache
        .rows(columns)
        .where("status is null")
        .collectAsList()
        .forEach(row -> rows.put(row.getAs("id"), row));
    return rows;
  }

  /** Returns the numbers of a nested array. */
  private static double[] numbers(Object array) {
    if (array instanceof scala.collection.Seq<?> seq) {
      return scala.collection.JavaConverters.seqAsJavaList(seq).stream()
          .flatMapToDouble(each -> Arrays.stream(numbers(each)))
          .toArray();
    }
    return new double[] {((Number) array).doubleValue()};
  }
}

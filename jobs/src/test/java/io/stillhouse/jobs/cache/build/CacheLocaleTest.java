package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A cache must not depend on the locale of the processes that build it. */
@Tag("spark")
class CacheLocaleTest {
  @TempDir private Path directory;

  @Test
  void buildsSameBytesWithPersianDigits() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 24, "1", "0");
    Map<String, byte[]> english = cache(corpus, Locale.US);
    Map<String, byte[]> persian = cache(corpus, Locale.forLanguageTag("fa-IR"));

    assertThat(persian.keySet()).isEqualTo(english.keySet());
    assertThat(english.keySet())
        .contains("manifest/00000000.json")
        .anyMatch(name -> name.matches("hidden/shard-000000-.*"));
    english.forEach(
        (name, bytes) -> {
          if (name.endsWith(".json")) {
            assertThat(text(persian.get(name))).as(name).isEqualTo(text(bytes));
          } else {
            assertThat(persian.get(name)).as(name).isEqualTo(bytes);
          }
        });
  }

  /** Builds a cache at the same path each time, and returns its files. */
  private Map<String, byte[]> cache(Path corpus, Locale locale) throws IOException {
    Path cache = directory.resolve("cache");
    Locale own = Locale.getDefault();
    try {
      Locale.setDefault(locale);
      CacheRecord built =
          new CacheJob(
                  Tiny.spark(),
                  TinyRecipe.labelled(corpus)
                      .cache(cache)
                      .with("targets.hidden=[1, 3]", "targets.attention=[2]")
                      .settings())
              .run();
      assertThat(built.rows()).isEqualTo(24);
    } finally {
      Locale.setDefault(own);
    }
    Map<String, byte[]> files = new TreeMap<>();
    Tiny.files(cache).forEach((name, bytes) -> files.put(withoutAttempt(name), bytes));
    FileUtils.deleteDirectory(cache.toFile());
    return files;
  }

  /** Hides the random part of a file name, which differs in every attempt. */
  private static String withoutAttempt(String name) {
    return name.replaceAll("-[0-9a-f]{8}\\.parquet", "-ATTEMPT.parquet");
  }

  /** Returns JSON without file names, times, and the hashes that depend on them. */
  private static String text(byte[] json) {
    return withoutAttempt(new String(json, StandardCharsets.UTF_8))
        .replaceAll(
            "\"(\\w*[sS]econds?|planning|loading|computing|rowsPerSecond)\": ?[-+.\\dE]+", "")
        .replaceAll("\"[0-9a-f]{64}\"", "\"HASH\"");
  }
}

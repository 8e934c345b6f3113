package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Damages the additions to a cache: two parts of text and a second teacher. */
@Tag("spark")
class GrownDamageTest {
  private static final Storage STORAGE = new Storage(new Configuration());
  private static final List<Column> COLUMNS = List.of(Targets.LOGITS, Targets.hidden(2));

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static String corpus;
  private static Path grown;
  private static Map<String, List<byte[]>> undamaged;

  private Path cache;

  /** A file of a grown cache. */
  private enum Kind {
    PART {
      @Override
      String of(ManifestLog manifest) {
        return format("plan-%06d.json", manifest.state().parts().get(0).firstShard());
      }
    },
    LAST_PART {
      @Override
      String of(ManifestLog manifest) {
        return format("plan-%06d.json", manifest.state().parts().get(1).firstShard());
      }
    },
    PART_ENTRY {
      @Override
      String of(ManifestLog manifest) throws IOException {
        return entry(manifest, "\n  \"part\"");
      }
    },
    TEACHER_ENTRY {
      @Override
      String of(ManifestLog manifest) throws IOException {
        return entry(manifest, "\"name\": \"same\"");
      }
    },
    TEACHER {
      @Override
      String of(ManifestLog manifest) {
        return "teachers/same/teacher.json";
      }
    },
    RECORD {
      @Override
      String of(ManifestLog manifest) {
        return "teachers/same/cache.json";
      }
    },
    MODEL {
      @Override
      String of(ManifestLog manifest) {
        return "teachers/same/teacher/model.safetensors";
      }
    },
    INPUTS {
      @Override
      String of(ManifestLog manifest) {
        return manifest
            .state()
            .inputs(manifest.state().parts().get(0).firstShard())
            .orElseThrow()
            .path();
      }
    },
    TARGETS {
      @Override
      String of(ManifestLog manifest) {
        return manifest.state().find(0, "same", Targets.hidden(2)).orElseThrow().path();
      }
    };

    abstract String of(ManifestLog manifest) throws IOException;

    /** Returns the first entry that holds a text. */
    private static String entry(ManifestLog manifest, String text) throws IOException {
      for (int number = 0; number < manifest.entries(); number++) {
        String name = ManifestLog.entry(number);
        if (Files.readString(grown.resolve(name)).contains(text)) {
          return name;
        }
      }
      throw new AssertionError(text);
    }
  }

  @BeforeAll
  static void growsOnce() throws IOException {
    spark = Tiny.spark();
    grown = shared.resolve("cache");
    String files = "";
    for (String name : List.of("a", "b", "c")) {
      files += Tiny.labelled(shared.resolve(name + ".tsv"), 24, "2", "0") + ",";
      corpus = "[" + files + "]";
      new CacheJob(spark, settings(grown)).run();
    }
    new CacheJob(spark, settings(grown, "teacher.name=same")).run();
    undamaged = cells(grown);
  }

  @BeforeEach
  void copiesCache() throws IOException {
    cache = Tiny.copy(grown, directory.resolve("cache"));
  }

  @ParameterizedTest
  @EnumSource
  void findsAndRepairsFlippedBits(Kind kind) throws IOException {
    Path file = file(kind);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
    assertFoundAndRepaired(file);
  }

  @ParameterizedTest
  @EnumSource(names = {"PART", "PART_ENTRY", "TEACHER_ENTRY", "TEACHER"})
  void findsAndRepairsLostFiles(Kind kind) throws IOException {
    Path file = file(kind);
    Files.delete(file);
    assertFoundAndRepaired(file);
  }

  @Test
  void reportsRowsOfLostPart() throws IOException {
    ManifestLog manifest = manifest();
    for (Kind kind : List.of(Kind.PART_ENTRY, Kind.PART)) {
      Files.delete(file(kind));
    }
    manifest.append(
        new ManifestChange.Revoked(List.of(), List.of(number(Kind.PART_ENTRY.of(manifest)))));

    assertThatThrownBy(() -> cells(cache))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the plan of cache")
        .hasMessageContaining("lacks shards 2..3")
        .hasMessageContaining("run verify on the cache");
  }

  @Test
  void reportsAndRestoresRowsOfLostLastPart() throws IOException {
    ManifestLog manifest = manifest();
    PlanPart last = manifest.state().parts().get(1);
    int entry =
        Stream.iterate(manifest.entries() - 1, n -> n - 1)
            .filter(n -> holds(n, "\n  \"part\""))
            .findFirst()
            .orElseThrow();
    Files.delete(cache.resolve(ManifestLog.entry(entry)));
    Files.delete(file(Kind.LAST_PART));
    manifest.append(new ManifestChange.Revoked(List.of(), List.of(entry)));

    assertThatThrownBy(() -> cells(cache))
        .hasMessageContaining(
            format("has files of more shards than the %d in its plan", last.firstShard()));
    // The rows of those shards are unknown, so they are revoked and the text counts as new.
    assertThat(verify().isSound()).isFalse();
    repair();
    assertThat(verify().isSound()).isTrue();
    assertThat(cells(cache)).usingRecursiveComparison().isEqualTo(undamaged);
  }

  @Test
  void doesNotReuseNameOfForgottenTeacher() throws IOException {
    Files.delete(file(Kind.TEACHER));
    Files.delete(file(Kind.TEACHER_ENTRY));
    assertThat(verify().isSound()).isFalse();

    assertThatThrownBy(() -> new CacheJob(spark, settings(cache, "teacher.name=same")).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has targets of a teacher 'same', but both copies of its record")
        .hasMessageContaining("set another teacher.name");
  }

  @Test
  void vacuumKeepsReferencedFiles() throws IOException {
    Path orphan = cache.resolve("teachers/same/hidden/shard-000000-0000.parquet");
    Files.writeString(orphan, "half");
    Files.writeString(cache.resolve("teachers/same/_teacher.json-0000"), "half");

    assertThat(VacuumJob.run(STORAGE, CacheRows.hadoop(cache)).removed())
        .containsExactly(
            "cache/teachers/same/_teacher.json-0000",
            "cache/teachers/same/hidden/shard-000000-0000.parquet");
    assertThat(verify().isSound()).isTrue();
    assertThat(cells(cache)).usingRecursiveComparison().isEqualTo(undamaged);
  }

  private void assertFoundAndRepaired(Path file) throws IOException {
    String name = cache.relativize(file).toString();
    VerifyJob.Result found = verify();
    assertThat(found.isSound()).isFalse();
    assertThat(found.lines()).anyMatch(line -> line.contains(name));
    assertThat(verify().isSound()).as("still damaged after a second verify").isFalse();
    repair();
    VerifyJob.Result repaired = verify();
    assertThat(repaired.isSound()).as("%s", repaired.lines()).isTrue();
    assertThat(cells(cache)).usingRecursiveComparison().isEqualTo(undamaged);
  }

  private void repair() throws IOException {
    new CacheJob(spark, settings(cache)).run();
    new CacheJob(spark, settings(cache, "teacher.name=same")).run();
  }

  private boolean holds(int entry, String text) {
    try {
      return Files.readString(cache.resolve(ManifestLog.entry(entry))).contains(text);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static int number(String entry) {
    return Integer.parseInt(entry.replaceAll("\\D", ""));
  }

  private Path file(Kind kind) throws IOException {
    return cache.resolve(kind.of(ManifestLog.read(STORAGE, CacheRows.hadoop(grown))));
  }

  private ManifestLog manifest() throws IOException {
    return ManifestLog.read(STORAGE, CacheRows.hadoop(cache));
  }

  private VerifyJob.Result verify() throws IOException {
    return Tiny.verify(cache, "verify.rows=0");
  }

  private static Map<String, List<byte[]>> cells(Path cache) throws IOException {
    Map<String, List<byte[]>> cells = new TreeMap<>();
    for (String teacher : List.of("", "same")) {
      CacheReader.teacher(STORAGE, CacheRows.hadoop(cache), teacher);
      CacheReader reader = CacheReader.open(STORAGE, CacheRows.hadoop(cache), teacher, COLUMNS);
      CacheRows.cells(reader, COLUMNS).forEach((id, row) -> cells.put(teacher + "/" + id, row));
    }
    return cells;
  }

  private static Settings settings(Path cache, String... more) {
    return TinyRecipe.labelled(corpus)
        .cache(cache)
        .shardTokens(256)
        .with("targets.hidden=[2]", "targets.dtype=float32")
        .settings(more);
  }
}

package io.stillhouse.jobs.cache.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManifestTest {
  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());
  private Path cache;

  @BeforeEach
  void namesTheCache() {
    cache = new Path(directory.toUri());
  }

  @Test
  void aCacheWithoutEntriesIsEmpty() throws IOException {
    assertThat(Manifest.read(storage, cache).files()).isEmpty();
  }

  @Test
  void entriesAreReadBackInOrder() throws IOException {
    Manifest manifest = Manifest.read(storage, cache);
    manifest.append(added(List.of(file(0, Family.INPUTS, "id"), file(1, Family.INPUTS, "id"))));
    manifest.append(added(List.of(file(0, Family.HIDDEN, "hidden_03"))));
    assertThat(Manifest.read(storage, cache).files())
        .isEqualTo(manifest.files())
        .containsExactly(
            file(0, Family.INPUTS, "id"),
            file(1, Family.INPUTS, "id"),
            file(0, Family.HIDDEN, "hidden_03"));
  }

  @Test
  void findsTheFileOfAShardThatHoldsAColumn() throws IOException {
    Manifest manifest = Manifest.read(storage, cache);
    manifest.append(
        added(List.of(file(0, Family.HIDDEN, "hidden_01"), file(0, Family.HIDDEN, "hidden_03"))));
    assertThat(manifest.find(0, "", Targets.hidden(3)))
        .contains(file(0, Family.HIDDEN, "hidden_03"));
    assertThat(manifest.find(0, "", Targets.hidden(2))).isEmpty();
    assertThat(manifest.find(1, "", Targets.hidden(3))).isEmpty();
    assertThat(manifest.find(0, "large", Targets.hidden(3))).isEmpty();
  }

  @Test
  void aSecondWriterIsRefused() throws IOException {
    Manifest one = Manifest.read(storage, cache);
    Manifest other = Manifest.read(storage, cache);
    one.append(added(List.of(file(0, Family.INPUTS, "id"))));
    assertThatThrownBy(() -> other.append(added(List.of(file(1, Family.INPUTS, "id")))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("another run has written")
        .hasMessageContaining("00000000.json")
        .hasMessageContaining("one cache command at a time");
    assertThat(Manifest.read(storage, cache).files()).isEqualTo(one.files());
  }

  @Test
  void aMissingEntryIsNoticed() throws IOException {
    Manifest manifest = Manifest.read(storage, cache);
    manifest.append(added(List.of(file(0, Family.INPUTS, "id"))));
    manifest.append(added(List.of(file(1, Family.INPUTS, "id"))));
    Files.delete(directory.resolve("manifest/00000000.json"));
    assertThatThrownBy(() -> Manifest.read(storage, cache))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("00000000.json' is damaged, or one before it is missing");
  }

  @Test
  void anEntryCutShortIsTheUsersToMend() throws IOException {
    Manifest manifest = Manifest.read(storage, cache);
    manifest.append(added(List.of(file(0, Family.INPUTS, "id"))));
    java.nio.file.Path entry = directory.resolve("manifest/00000000.json");
    String whole = Files.readString(entry);
    Files.deleteIfExists(directory.resolve("manifest/.00000000.json.crc"));
    for (String cut : List.of("", whole.substring(0, whole.length() / 2))) {
      Files.writeString(entry, cut);
      assertThatThrownBy(() -> Manifest.read(storage, cache))
          .as(cut)
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("00000000.json' is damaged")
          .hasMessageContaining("then cache again");
    }
  }

  @Test
  void anEntryOfOneTeacherAloneIsOfTheFirst() throws IOException {
    String entry =
        """
        {
          "sequence": 0,
          "previous": "",
          "files": [
            {
              "shard": 0,
              "family": "hidden",
              "path": "hidden/shard-000000-3f2a9c01.parquet",
              "columns": ["id", "length", "hidden_03"],
              "size": {"rows": 3, "tokens": 21, "bytes": 1234},
              "hashes": {"chunks": [], "footer": "ab"}
            }
          ],
          "invalid": [{"shard": 0, "id": "a", "reason": "the teacher's output is not finite"}]
        }
        """;
    java.nio.file.Path file = directory.resolve("manifest/00000000.json");
    Files.createDirectories(file.getParent());
    Files.writeString(file, Seal.seal(entry));

    Manifest manifest = Manifest.read(storage, cache);
    assertThat(manifest.has(0, "", Targets.hidden(3))).isTrue();
    assertThat(manifest.invalid(0, "")).containsOnlyKeys("a");
    assertThat(manifest.allTeachers()).containsExactly("");
  }

  private static Manifest.Entry added(List<CacheFile> files) {
    return Manifest.Entry.added(files, List.of());
  }

  private static CacheFile file(int shard, Family family, String column) {
    return new CacheFile(
        shard,
        family.id(),
        family.id() + "/shard-" + shard + "-" + column + ".parquet",
        List.of("id", "length", column),
        new CacheFile.Size(3, 21, 1234),
        new CacheFile.Hashes(List.of(), "ab"),
        "");
  }
}

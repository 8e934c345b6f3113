package io.stillhouse.jobs.faults;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;

/**
 * Every cell of a cache, read by Parquet alone from the files that the manifest names: what is
 * compared is what lies there, not what our own reader makes of it.
 */
final class Cells {
  private static final Gson GSON = new Gson();

  /** Families of targets that the harness has written. */
  private static final List<String> FAMILIES = List.of("hidden", "attention");

  private final Path cache;
  private final Configuration hadoop;
  private final FileSystem fs;
  private final List<JsonObject> files = new ArrayList<>();
  private Map<String, List<String>> hashes;

  /** How two caches differ. All is well where only {@code cells} is not 0. */
  record Difference(int cells, int lost, int doubled, int unequal) {
    boolean none() {
      return cells > 0 && lost == 0 && doubled == 0 && unequal == 0;
    }
  }

  private Cells(Path cache, Configuration hadoop) throws IOException {
    this.cache = cache;
    this.hadoop = hadoop;
    this.fs = cache.getFileSystem(hadoop);
  }

  /** Reads the manifest of a cache, or what there is of it; empty where there is no cache. */
  static Cells of(String cache, Configuration hadoop) throws IOException {
    Cells cells = new Cells(new Path(cache), hadoop);
    List<Path> entries =
        cells.list("manifest").stream()
            .filter(entry -> entry.getName().matches("\\d+\\.json"))
            .sorted()
            .toList();
    for (Path entry : entries) {
      String json = new String(cells.bytes(entry), StandardCharsets.UTF_8);
      JsonObject parsed = GSON.fromJson(json, JsonObject.class);
      if (parsed.has("files")) { // an entry may revoke alone
        parsed.getAsJsonArray("files").forEach(file -> cells.files.add(file.getAsJsonObject()));
      }
    }
    return cells;
  }

  /** Returns how many shards' targets have been begun, as often as they have been. */
  static int begun(String cache, Configuration hadoop) throws IOException {
    return new Cells(new Path(cache), hadoop).list(FAMILIES.get(0)).size();
  }

  /** Returns the paths of committed files, with the hash of what lies there now. */
  Map<String, String> committed() throws IOException {
    Map<String, String> committed = new TreeMap<>();
    for (JsonObject file : files) {
      String path = file.get("path").getAsString();
      committed.put(path, sha256(bytes(new Path(cache, path))));
    }
    return committed;
  }

  /** Returns the numbers of shards of which the manifest has targets, whole. */
  Set<Integer> computedShards() {
    return files.stream()
        .filter(file -> FAMILIES.contains(file.get("family").getAsString()))
        .collect(
            Collectors.groupingBy(
                file -> file.get("shard").getAsInt(), TreeMap::new, Collectors.counting()))
        .entrySet()
        .stream()
        .filter(shard -> shard.getValue() >= FAMILIES.size())
        .map(Map.Entry::getKey)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Returns the files that lie there with targets of these shards, committed or not. */
  Set<String> filesOf(Set<Integer> shards) throws IOException {
    Set<String> names = new TreeSet<>();
    for (String family : FAMILIES) {
      for (Path file : list(family)) {
        // shard-000012-1a2b3c4d.parquet
        if (shards.contains(Integer.valueOf(file.getName().split("-")[1]))) {
          names.add(family + "/" + file.getName());
        }
      }
    }
    return names;
  }

  /** Returns how many shards were computed by the last run that ended, as it says itself. */
  int computedByLastRun() throws IOException {
    String json = new String(bytes(new Path(cache, "cache.json")), StandardCharsets.UTF_8);
    return GSON.fromJson(json, JsonObject.class)
        .getAsJsonObject("run")
        .get("computedShards")
        .getAsInt();
  }

  /** Returns the time, in milliseconds since 1970, at which the last manifest entry was written. */
  long lastEntryMillis() throws IOException {
    long last = 0;
    for (Path entry : list("manifest")) {
      last = Math.max(last, fs.getFileStatus(entry).getModificationTime());
    }
    return last;
  }

  /** Compares with an undisturbed cache: the same keys, each once, and the same bytes. */
  Difference against(Cells undisturbed) throws IOException {
    Map<String, List<String>> expected = undisturbed.hashes();
    Map<String, List<String>> actual = hashes();
    int lost = 0;
    int doubled = 0;
    int unequal = 0;
    for (Map.Entry<String, List<String>> cell : expected.entrySet()) {
      List<String> found = actual.getOrDefault(cell.getKey(), List.of());
      lost += found.isEmpty() ? 1 : 0;
      doubled += found.size() > 1 ? 1 : 0;
      unequal += found.isEmpty() || found.equals(cell.getValue()) ? 0 : 1;
    }
    for (String key : actual.keySet()) {
      unequal += expected.containsKey(key) ? 0 : 1;
    }
    return new Difference(expected.size(), lost, doubled, unequal);
  }

  /** Returns a hash of each cell by "row key, column"; a list of more than one is a cell twice. */
  private Map<String, List<String>> hashes() throws IOException {
    if (hashes == null) {
      hashes = new TreeMap<>();
      for (JsonObject file : files) {
        read(file);
      }
    }
    return hashes;
  }

  private void read(JsonObject file) throws IOException {
    boolean inputs = file.get("family").getAsString().equals("inputs");
    Path path = new Path(cache, file.get("path").getAsString());
    try (ParquetReader<Group> reader =
        ParquetReader.builder(new GroupReadSupport(), path).withConf(hadoop).build()) {
      for (Group row = reader.read(); row != null; row = reader.read()) {
        String key = row.getString("id", 0);
        for (JsonElement named : file.getAsJsonArray("columns")) {
          String column = named.getAsString();
          if (inputs || !column.equals("id") && !column.equals("length")) {
            hashes
                .computeIfAbsent(key + " " + column, cell -> new ArrayList<>())
                .add(cell(row, column));
          }
        }
      }
    }
  }

  private static String cell(Group row, String column) {
    int field = row.getType().getFieldIndex(column);
    if (row.getFieldRepetitionCount(field) == 0) {
      return "null";
    }
    return row.getType()
            .getType(field)
            .asPrimitiveType()
            .getPrimitiveTypeName()
            .name()
            .equals("BINARY")
        ? sha256(row.getBinary(field, 0).getBytes())
        : row.getValueToString(field, 0);
  }

  private List<Path> list(String directory) throws IOException {
    try {
      return Arrays.stream(fs.listStatus(new Path(cache, directory)))
          .map(FileStatus::getPath)
          .toList();
    } catch (FileNotFoundException e) {
      return List.of(); // nothing of it has been written yet
    }
  }

  private byte[] bytes(Path file) throws IOException {
    try (InputStream in = fs.open(file)) {
      return in.readAllBytes();
    }
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

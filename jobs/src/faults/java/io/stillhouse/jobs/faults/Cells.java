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
 * Every cell of a cache, read from the files in the manifest with Parquet's own reader, so that the
 * comparison does not depend on Stillhouse's reader.
 */
final class Cells {
  private static final Gson GSON = new Gson();

  /** Families of targets in the harness's caches. */
  private static final List<String> FAMILIES = List.of("hidden", "attention");

  private final Path cache;
  private final Configuration hadoop;
  private final FileSystem fs;
  private final List<JsonObject> files = new ArrayList<>();
  private Map<String, List<String>> hashes;

  /** The number of compared cells, and how many of them differ. */
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

  /** Reads the manifest entries of a cache that exist so far; none if there is no cache. */
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
      if (parsed.has("files")) { // an entry may only revoke files
        parsed.getAsJsonArray("files").forEach(file -> cells.files.add(file.getAsJsonObject()));
      }
    }
    return cells;
  }

  /** Returns the number of target files, finished or not, including those of repeated attempts. */
  static int countStarted(String cache, Configuration hadoop) throws IOException {
    return new Cells(new Path(cache), hadoop).list(FAMILIES.get(0)).size();
  }

  /** Returns the paths of committed files and the current hashes of their bytes. */
  Map<String, String> committed() throws IOException {
    Map<String, String> committed = new TreeMap<>();
    for (JsonObject file : files) {
      String path = file.get("path").getAsString();
      committed.put(path, sha256(bytes(new Path(cache, path))));
    }
    return committed;
  }

  /** Returns the shards whose targets are complete in the manifest. */
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

  /** Returns the target files of these shards, committed or not. */
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

  /** Returns how many shards the last finished run computed, according to its record. */
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

  /**
   * Compares this cache with an undisturbed one: it must have the same keys, each once, and bytes.
   */
  Difference compareTo(Cells undisturbed) throws IOException {
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

  /**
   * Returns the hashes of each cell by "row key, column"; more than one if a cell is duplicated.
   */
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
      return List.of(); // not written yet
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

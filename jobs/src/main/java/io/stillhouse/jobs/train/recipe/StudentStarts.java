package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;

/** Finds the initial weights of students whose recipes share a cache. */
final class StudentStarts {
  private final Storage storage;
  private final TrainingCache cache;
  private final EncoderSpec teacher;
  private final Map<String, Integer> vectorsFound = new HashMap<>();
  private final Map<String, Optional<String>> tokenDifferences = new HashMap<>();

  StudentStarts(Storage storage, TrainingCache cache) {
    this.storage = storage;
    this.cache = cache;
    this.teacher = cache.teacher().spec();
  }

  /**
   * Finds the start of a recipe's student.
   *
   * @param notes receives notes for the user
   * @throws io.stillhouse.error.StillhouseException if the model or the file that the recipe names
   *     does not fit the student
   */
  StudentRun.Start of(Settings recipe, ModelSpec student, List<String> notes) throws IOException {
    if (!(student instanceof EncoderSpec encoder)) {
      return wordVectors(recipe, notes);
    }
    return switch (recipe.get(Options.STUDENT_INIT)) {
      case "random" -> new StudentRun.Start(null, List.of());
      case "teacher" -> fromTeacher(recipe, encoder);
      default -> fromModel(recipe, encoder);
    };
  }

  /** Finds a BiLSTM's word vectors. A file is read once here, so that damage is reported early. */
  private StudentRun.Start wordVectors(Settings recipe, List<String> notes) throws IOException {
    String from = recipe.get(Options.WORD_VECTORS);
    if (from.equals("random")) {
      return new StudentRun.Start(null, List.of());
    }
    if (from.equals("teacher")) {
      return new StudentRun.Start(teacherDirectory(), List.of());
    }
    WordVectorFile file = new WordVectorFile(storage, Options.WORD_VECTORS.key(), from);
    Integer found = vectorsFound.get(from);
    if (found == null) {
      found = file.of(Models.tokenizer(teacherDirectory())).size();
      vectorsFound.put(from, found);
    }
    if (found == 0) {
      throw Errors.invalid(
          format(
              "student.word-vectors '%s' has none of the teacher's %,d word pieces",
              from, teacher.vocabSize()),
          "use a file of the same language and casing, or student.word-vectors=teacher");
    }
    notes.add(
        format(
            "%s has vectors of %,d of %,d word pieces; the others are random",
            from, found, teacher.vocabSize()));
    return new StudentRun.Start(file.path().toString(), List.of());
  }

  private StudentRun.Start fromTeacher(Settings recipe, EncoderSpec student) throws IOException {
    if (student.hiddenSize() != teacher.hiddenSize()
        || student.blocks().intermediateSize() != teacher.blocks().intermediateSize()) {
      throw Errors.invalid(
          format(
              "student.init is teacher, but the student's hidden and intermediate sizes (%d, %d)"
                  + " are not the teacher's (%d, %d)",
              student.hiddenSize(),
              student.blocks().intermediateSize(),
              teacher.hiddenSize(),
              teacher.blocks().intermediateSize()),
          "set student.init=random, or both sizes to the teacher's");
    }
    requireSameHeads("student.init is teacher, which", teacher, student);
    List<Integer> blocks = Recipe.initLayers(recipe, student, teacher);
    return new StudentRun.Start(
        teacherDirectory(), blocks, Pruning.of(recipe, storage, student, cache.teacher(), blocks));
  }

  private StudentRun.Start fromModel(Settings recipe, EncoderSpec student) throws IOException {
    String init = recipe.get(Options.STUDENT_INIT);
    Path given = storage.requireExisting("student.init", init);
    HuggingFaceDirectory from = Models.openEncoder(storage.local(given));
    if (from.spec().layers() < student.layers()) {
      throw Errors.invalid(
          format(
              "student.init '%s' has %d layers, but the student has %d",
              init, from.spec().layers(), student.layers()),
          "start from a model that is at least as deep");
    }
    requireSameHeads(format("student.init '%s'", init), from.spec(), student);
    requireSameActivation(init, from.spec(), student);
    requireSameTokens(init, from);
    boolean sameDepth = from.spec().layers() == student.layers();
    List<Integer> blocks =
        recipe.get(Options.INIT_LAYERS).isEmpty() && sameDepth
            ? IntStream.rangeClosed(1, student.layers()).boxed().toList()
            : Recipe.initLayers(recipe, student, from.spec());
    return new StudentRun.Start(
            given.toString(), blocks, Pruning.of(recipe, storage, student, from, blocks))
        .withFingerprint(TrainedStudent.fingerprint(storage, given));
  }

  private String teacherDirectory() {
    return TeacherFolder.model(cache.path(), cache.teacherName()).toString();
  }

  /**
   * Requires the same number of heads: weights have the same shapes for any number, but are
   * meaningless for another one.
   */
  private static void requireSameHeads(String what, EncoderSpec from, EncoderSpec student) {
    if (from.heads() != student.heads()) {
      throw Errors.invalid(
          format(
              "%s has %d attention heads, but the student has %d",
              what, from.heads(), student.heads()),
          format("set student.heads=%d, or student.init=random", from.heads()));
    }
  }

  /** Requires the same activation, which a student takes from the teacher. */
  private static void requireSameActivation(String init, EncoderSpec from, EncoderSpec student) {
    if (from.blocks().activation() != student.blocks().activation()) {
      throw Errors.invalid(
          format(
              "student.init '%s' has hidden_act %s, but the student has that of the teacher, %s",
              init, from.blocks().activation().id(), student.blocks().activation().id()),
          "start from a model with the same activation, or set student.init=random");
    }
  }

  private void requireSameTokens(String init, HuggingFaceDirectory from) throws IOException {
    if (!tokenDifferences.containsKey(init)) { // the students of a sweep often share a start
      tokenDifferences.put(
          init, TokenizerComparison.difference(cache.teacher().path(), from.path(), List.of()));
    }
    Optional<String> difference = tokenDifferences.getOrDefault(init, Optional.empty());
    if (difference.isPresent()) {
      throw Errors.invalid(
          format(
              "student.init '%s' has a different tokenizer than the cache's teacher (%s), whose"
                  + " tokens the student reads",
              init, difference.get()),
          "start from a model with the same vocabulary and casing, or set student.init=random");
    }
  }
}

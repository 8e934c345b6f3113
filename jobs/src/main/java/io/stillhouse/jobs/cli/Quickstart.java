package io.stillhouse.jobs.cli;

import static io.stillhouse.jobs.cli.Stillhouse.print;

import io.stillhouse.config.ListText;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.distill.DistillJob;
import io.stillhouse.jobs.distill.DistillRequest;
import io.stillhouse.jobs.predict.TextClassifier;
import io.stillhouse.jobs.spark.Launcher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Distills a classifier of WordNet's glosses, with at most 45 classes, from 2,000 labelled and
 * 20,000 unlabelled ones.
 */
final class Quickstart {
  private static final WordNet.Parts PARTS = new WordNet.Parts(2000, 20_000, 1000);
  private static final long SPLIT_SEED = 1;

  private static final List<String> SENTENCES =
      List.of("a small bird that eats seeds", "a person who repairs shoes", "move quickly on foot");

  private final Path directory;
  private final List<String> arguments;
  private final UnaryOperator<Settings> opened;

  /**
   * Prepares a run.
   *
   * @param directory the directory of all results
   * @param arguments {@code key=value} each
   * @param opened a function that is applied to the settings before any of them is read
   */
  Quickstart(Path directory, List<String> arguments, UnaryOperator<Settings> opened) {
    this.directory = directory;
    this.arguments = arguments;
    this.opened = opened;
  }

  void run() throws IOException {
    Path glosses = directory.resolve("glosses");
    List<String> all =
        new ArrayList<>(
            List.of(
                "corpus.text=gloss",
                "corpus.label=class",
                "corpus.id=id",
                "corpus.max-length=48",
                "corpus.unlabelled=" + file(glosses, "unlabelled.tsv"),
                "distill.validation=" + file(glosses, "validation.tsv"),
                "distill.teacher-epochs=8",
                "distill.teacher-learning-rate=2e-4",
                "student.layers=2",
                "train.epochs=1",
                "train.learning-rate=5e-4",
                "plan.seconds=30"));
    all.addAll(arguments);
    DistillRequest request =
        DistillRequest.of(glosses.resolve("train.tsv").toString(), directory, all);
    request.settings(); // mistakes are reported before anything is downloaded
    if (!Files.exists(glosses.resolve("validation.tsv"))) {
      Files.createDirectories(glosses);
      WordNet.split(WordNet.glosses(WordNet.ARTIFACT.resolve()), glosses, PARTS, SPLIT_SEED);
    }
    DistillJob.Result result = TableCommands.distill(request, opened);
    Path export = directory.resolve("export");
    print("");
    print("%s predict %s \"%s\"", Launcher.command(), export, String.join("\" \"", SENTENCES));
    TextClassifier.open(export.toString())
        .predict(SENTENCES)
        .forEach(each -> print("%s\t%s", each.answer(), each.text()));
    print(
        "next: change %s, and run %s train %1$s %s=mine",
        directory.resolve("recipe.conf"), Launcher.command(), Options.STUDENT_NAME.key());
    result.leftOut().forEach(line -> print("%s", line));
    TableCommands.report(request, opened);
  }

  /** Returns a list of one file, as a setting. */
  private static String file(Path directory, String name) {
    return ListText.write(List.of(directory.resolve(name).toString()));
  }
}

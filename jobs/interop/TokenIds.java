import io.stillhouse.checkpoint.foreign.Importer;
import io.stillhouse.jobs.evaluate.LogitsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * TokenIds DIR: for each model directory DIR/NAME/source of check_tokenizers.py, writes
 * DIR/NAME/written as `stillhouse import` does, and the token ids of both as `stillhouse logits`
 * does. One process takes seconds for all of them; the commands would take minutes.
 */
public final class TokenIds {
  public static void main(String[] args) throws IOException {
    Path directory = Path.of(args[0]);
    List<Path> cases;
    try (Stream<Path> entries = Files.list(directory)) {
      cases = entries.filter(Files::isDirectory).sorted().toList();
    }
    for (Path one : cases) {
      Importer.importTeacher(one.resolve("source"), one.resolve("written"));
      for (String kind : List.of("source", "written")) {
        LogitsFile.write(
            one.resolve(kind).toString(),
            directory.resolve("sentences.txt"),
            one.resolve(kind + ".safetensors"));
      }
    }
    System.out.printf("token ids of %d tokenizers written%n", cases.size());
  }
}

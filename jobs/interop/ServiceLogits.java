import ai.djl.modality.Classifications;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.DeferredTranslatorFactory;
import com.google.gson.Gson;
import io.stillhouse.jobs.evaluate.LogitsFile;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * ServiceLogits TEXT OUT EXPORT...: for each exported classifier, writes what JVM programs compute
 * for the lines of TEXT. OUT/NAME.safetensors, OUT/NAME-onnx.safetensors and
 * OUT/NAME-pt.safetensors contain the logits of the weights, of ONNX Runtime, and of model.pt, as
 * `stillhouse logits` writes them; OUT/NAME-djl.jsonl has the probability of each class, as a
 * service gets it from DJL's Criteria.
 */
public final class ServiceLogits {
  public static void main(String[] args) throws Exception {
    Path text = Path.of(args[0]);
    Path out = Path.of(args[1]);
    for (int at = 2; at < args.length; at++) {
      Path export = Path.of(args[at]);
      String name = export.getFileName().toString();
      LogitsFile.write(export.toString(), text, out.resolve(name + ".safetensors"));
      LogitsFile.write(
          export.resolve("onnx/model.onnx").toString(),
          text,
          out.resolve(name + "-onnx.safetensors"));
      LogitsFile.write(
          export.resolve("model.pt").toString(), text, out.resolve(name + "-pt.safetensors"));
      criteria(export, Files.readAllLines(text), out.resolve(name + "-djl.jsonl"));
      System.out.printf("computed the logits of %s in four ways%n", name);
    }
  }

  private static void criteria(Path export, List<String> lines, Path out) throws Exception {
    Criteria<String, Classifications> criteria =
        Criteria.builder()
            .setTypes(String.class, Classifications.class)
            .optModelPath(export)
            .optTranslatorFactory(new DeferredTranslatorFactory())
            .build();
    try (ZooModel<String, Classifications> model = criteria.loadModel();
        var predictor = model.newPredictor();
        Writer json = Files.newBufferedWriter(out)) {
      for (String line : lines) {
        Map<String, Double> probabilities = new LinkedHashMap<>();
        predictor
            .predict(line)
            .items()
            .forEach(each -> probabilities.put(each.getClassName(), each.getProbability()));
        json.write(new Gson().toJson(probabilities) + "\n");
      }
    }
  }

  private ServiceLogits() {}
}

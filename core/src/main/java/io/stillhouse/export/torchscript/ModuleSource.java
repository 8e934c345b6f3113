package io.stillhouse.export.torchscript;

import static io.stillhouse.error.Text.format;

import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Texts;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The source text of a model's modules, and the attributes that its classes declare.
 *
 * <p>A resource file is a template: {@code $heads}, {@code $eps}, {@code $activation} and {@code
 * $layers} stand for values of the model's spec, and a line that contains {@code $block} is
 * repeated for each block, with the block's number from 0.
 *
 * @param root name of the class of the model
 * @param texts source text by Python module, as a path
 * @param classes attributes by the name of their class, such as {@code __torch__.modules.Linear}
 */
record ModuleSource(String root, Map<String, String> texts, Map<String, List<Attribute>> classes) {
  private static final String MAIN = "__torch__";
  private static final String MODULES = "__torch__/modules";
  private static final String BLOCK = "$block";
  private static final Pattern CLASS = Pattern.compile("class (\\w+)\\(Module\\):");
  private static final Pattern ATTRIBUTE =
      Pattern.compile(
          "    (?:(\\w+): |__annotations__\\[\"(\\w+)\"] = )(Tensor|__torch__\\.[\\w.]+)");

  /**
   * An attribute of a class.
   *
   * @param type {@code Tensor}, or the name of a class
   */
  record Attribute(String name, String type) {
    boolean isTensor() {
      return type.equals("Tensor");
    }
  }

  static ModuleSource of(ModelSpec spec) {
    return spec instanceof EncoderSpec encoder ? of(encoder) : of((BiLstmSpec) spec);
  }

  private static ModuleSource of(EncoderSpec spec) {
    String root =
        switch (spec.head().task()) {
          case NONE -> "Model";
          case MASKED_LM -> "MaskedLm";
          case CLASSIFICATION, REGRESSION, MULTI_LABEL -> "SequenceClassification";
        };
    Map<String, String> values =
        Map.of(
            "$heads", Integer.toString(spec.heads()),
            "$layers", Integer.toString(spec.layers()),
            "$eps", Double.toString(spec.numerics().layerNormEps()).toLowerCase(Locale.ROOT),
            "$activation", spec.blocks().activation().id());
    String file = format("%s.py", spec.architecture().name().toLowerCase(Locale.ROOT));
    return of(root, file, values, spec.layers());
  }

  private static ModuleSource of(BiLstmSpec spec) {
    // A BiLSTM uses none of these values.
    Map<String, String> values = Map.of("$heads", "1", "$eps", "0.0", "$activation", "relu");
    return of(spec.texts() == Texts.PAIR ? "TextPair" : "SingleText", "bilstm.py", values, 0);
  }

  private static ModuleSource of(String root, String file, Map<String, String> values, int blocks) {
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put(MAIN, expanded(TorchScript.source(ModuleSource.class, file), values, blocks));
    texts.put(
        MODULES, expanded(TorchScript.source(ModuleSource.class, "modules.py"), values, blocks));
    Map<String, List<Attribute>> classes = new LinkedHashMap<>();
    texts.forEach((path, text) -> addClasses(path.replace('/', '.'), text, classes));
    return new ModuleSource(MAIN + "." + root, texts, classes);
  }

  private static String expanded(String template, Map<String, String> values, int blocks) {
    StringBuilder text = new StringBuilder();
    template
        .lines()
        .forEach(
            line -> {
              int copies = line.contains(BLOCK) ? blocks : 1;
              for (int block = 0; block < copies; block++) {
                text.append(line.replace(BLOCK, Integer.toString(block))).append('\n');
              }
            });
    String result = text.toString();
    for (Map.Entry<String, String> value : values.entrySet()) {
      result = result.replace(value.getKey(), value.getValue());
    }
    return result;
  }

  private static void addClasses(String module, String text, Map<String, List<Attribute>> classes) {
    List<Attribute> attributes = new ArrayList<>();
    for (String line : text.lines().toList()) {
      Matcher type = CLASS.matcher(line);
      Matcher attribute = ATTRIBUTE.matcher(line);
      if (type.matches()) {
        attributes = new ArrayList<>();
        classes.put(module + "." + type.group(1), attributes);
      } else if (attribute.matches()) {
        String name = attribute.group(1) == null ? attribute.group(2) : attribute.group(1);
        attributes.add(new Attribute(name, attribute.group(3)));
      }
    }
  }

  /** Returns the attributes of a class. */
  List<Attribute> attributes(String type) {
    List<Attribute> attributes = classes.get(type);
    if (attributes == null) {
      throw new IllegalStateException("no class " + type);
    }
    return attributes;
  }
}

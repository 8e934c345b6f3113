package io.stillhouse.export.torchscript;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Texts;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.stream.Collectors;

/**
 * The file that tells DJL which of its translators to use, and with which arguments. DJL's own
 * translators suffice, so that a service needs no class of this program.
 */
final class ServingProperties {
  private static final String FILE = "serving.properties";
  private static final String PACKAGE = "ai.djl.huggingface.translator.";
  private static final String TRUE = "true";
  private static final String FALSE = "false";

  private ServingProperties() {}

  static void write(ModelDirectory model, Path directory) throws IOException {
    Properties properties = new Properties();
    properties.setProperty("engine", "PyTorch");
    addTokenizer(properties, model.spec());
    addTranslator(properties, model);
    StringWriter text = new StringWriter();
    properties.store(text, null);
    // store escapes values, but also adds a comment with the date.
    Files.writeString(
        directory.resolve(FILE),
        text.toString()
            .lines()
            .filter(line -> !line.startsWith("#"))
            .sorted()
            .collect(Collectors.joining("\n", "", "\n")));
  }

  private static void addTokenizer(Properties properties, ModelSpec spec) {
    boolean segments =
        spec instanceof EncoderSpec encoder ? encoder.architecture().hasSegments() : isPair(spec);
    properties.setProperty("includeTokenTypes", Boolean.toString(segments));
    properties.setProperty("padding", TRUE);
    if (spec instanceof EncoderSpec) {
      String most = Integer.toString(spec.maxTokens());
      properties.setProperty("truncation", TRUE);
      properties.setProperty("maxLength", most);
      properties.setProperty("modelMaxLength", most); // DJL's default is 512
    } else {
      properties.setProperty("truncation", FALSE);
    }
  }

  private static void addTranslator(Properties properties, ModelDirectory model)
      throws IOException {
    switch (model.spec().head().task()) {
      case CLASSIFICATION, MULTI_LABEL -> addClassifier(properties, model.spec());
      case REGRESSION -> {
        if (isPair(model.spec())) {
          addClassifier(properties, model.spec());
          return;
        }
        // DJL's classifier would apply a sigmoid to the only logit. This translator returns it
        // unchanged, as an embedding of one number.
        translator(properties, "TextEmbedding");
        properties.setProperty("pooling", "cls");
        properties.setProperty("normalize", FALSE);
      }
      case NONE -> {
        translator(properties, "TextEmbedding");
        properties.setProperty("pooling", "mean");
        properties.setProperty("normalize", TRUE);
      }
      case MASKED_LM -> {
        translator(properties, "FillMask");
        // DJL joins punctuation and word pieces if there are several tokens: "! ?" becomes "!?".
        properties.setProperty("topK", "1");
        try (Tokenizer tokenizer = Tokenizer.open(model.path())) {
          properties.setProperty("maskToken", tokenizer.token(tokenizer.maskId()));
        }
      }
    }
  }

  private static void addClassifier(Properties properties, ModelSpec spec) {
    translator(properties, "TextClassification");
    if (isPair(spec)) {
      // This is the only translator of pairs; it returns logits.
      properties.setProperty("reranking", TRUE);
      properties.setProperty("sigmoid", FALSE);
    }
  }

  private static boolean isPair(ModelSpec spec) {
    return spec instanceof BiLstmSpec biLstm && biLstm.texts() == Texts.PAIR;
  }

  private static void translator(Properties properties, String name) {
    properties.setProperty("translatorFactory", PACKAGE + name + "TranslatorFactory");
  }
}

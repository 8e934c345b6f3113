package io.stillhouse.checkpoint;

import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Translates between the names of an architecture's tensors in Hugging Face's files and the names
 * of BERT's tensors, which {@link EncoderSpec#parameters()} uses for all architectures.
 */
public final class TensorNames {
  private static final String BASE = "bert.";
  private static final Pattern WRAPPER = Pattern.compile("(?:module\\.|_orig_mod\\.)+");
  private static final Pattern BLOCK = Pattern.compile("bert\\.encoder\\.layer\\.(\\d+)\\.(.+)");

  private static final TensorNames BERT =
      new TensorNames(BASE, "bert.encoder.layer.%s.", Map.of(), Map.of());

  private static final TensorNames DISTILBERT =
      new TensorNames(
          "distilbert.",
          "distilbert.transformer.layer.%s.",
          Map.of(
              "attention.self.query", "attention.q_lin",
              "attention.self.key", "attention.k_lin",
              "attention.self.value", "attention.v_lin",
              "attention.output.dense", "attention.out_lin",
              "attention.output.LayerNorm", "sa_layer_norm",
              "intermediate.dense", "ffn.lin1",
              "output.dense", "ffn.lin2",
              "output.LayerNorm", "output_layer_norm"),
          Map.of(
              "bert.pooler.dense", "pre_classifier",
              "cls.predictions.transform.dense", "vocab_transform",
              "cls.predictions.transform.LayerNorm", "vocab_layer_norm",
              "cls.predictions.decoder", "vocab_projector"));

  private static final TensorNames ALBERT =
      new TensorNames(
          "albert.",
          "albert.encoder.albert_layer_groups.0.albert_layers.%s.",
          Map.of(
              "attention.self.query", "attention.query",
              "attention.self.key", "attention.key",
              "attention.self.value", "attention.value",
              "attention.output.dense", "attention.dense",
              "attention.output.LayerNorm", "attention.LayerNorm",
              "intermediate.dense", "ffn",
              "output.dense", "ffn_output",
              "output.LayerNorm", "full_layer_layer_norm"),
          Map.of(
              "bert.pooler.dense", "albert.pooler",
              "cls.predictions.transform.dense", "predictions.dense",
              "cls.predictions.transform.LayerNorm", "predictions.LayerNorm",
              "cls.predictions.decoder", "predictions.decoder",
              "cls.predictions", "predictions",
              "cls.seq_relationship", "sop_classifier.classifier"));

  /** Prefix of the encoder's tensors; a model without a head omits it. */
  private final String base;

  private final String block;
  private final Pattern storedBlock;
  private final Map<String, String> inBlock;
  private final Map<String, String> canonicalInBlock;
  private final Map<String, String> outside;
  private final Map<String, String> canonicalOutside;

  private TensorNames(
      String base, String block, Map<String, String> inBlock, Map<String, String> outside) {
    this.base = base;
    this.block = block;
    this.storedBlock = Pattern.compile(block.replace(".", "\\.").replace("%s", "(\\d+)") + "(.+)");
    this.inBlock = inBlock;
    this.canonicalInBlock = inverse(inBlock);
    this.outside = outside;
    this.canonicalOutside = inverse(outside);
  }

  /** Returns the names of an architecture. */
  public static TensorNames of(Architecture architecture) {
    return switch (architecture) {
      case BERT -> BERT;
      case DISTILBERT -> DISTILBERT;
      case ALBERT -> ALBERT;
    };
  }

  /** Returns the name of a parameter in a model with a head. */
  String stored(String canonical) {
    // Only the decoder's bias is a parameter; DistilBERT stores it in the decoder's module.
    boolean decoderBias = canonical.equals("cls.predictions.bias");
    String name = decoderBias && this == DISTILBERT ? "cls.predictions.decoder.bias" : canonical;
    Matcher matcher = BLOCK.matcher(name);
    if (matcher.matches()) {
      return block.replace("%s", matcher.group(1)) + rename(matcher.group(2), inBlock);
    }
    String known = rename(name, outside);
    return known.startsWith(BASE) ? base + known.substring(BASE.length()) : known;
  }

  /** Returns the name of a parameter in a model without a head. */
  String storedBare(String canonical) {
    String name = stored(canonical);
    return name.startsWith(base) ? name.substring(base.length()) : name;
  }

  /**
   * Returns the prefix that DataParallel and torch.compile add to the names of a model that they
   * wrap, or "".
   */
  static String wrapper(String stored) {
    Matcher matcher = WRAPPER.matcher(stored);
    return matcher.lookingAt() ? matcher.group() : "";
  }

  /**
   * Returns BERT's name for a stored name, which may lack the prefix or come from an old
   * checkpoint.
   */
  public String canonical(String stored) {
    String name =
        stored
            .substring(wrapper(stored).length())
            .replace("LayerNorm.gamma", "LayerNorm.weight")
            .replace("LayerNorm.beta", "LayerNorm.bias");
    if (Stream.of("embeddings.", "encoder.", "transformer.", "pooler.")
        .anyMatch(name::startsWith)) {
      name = base + name;
    }
    Matcher matcher = storedBlock.matcher(name);
    if (matcher.matches()) {
      return BERT.block.replace("%s", matcher.group(1))
          + rename(matcher.group(2), canonicalInBlock);
    }
    name = rename(name, canonicalOutside);
    if (name.startsWith(base)) {
      name = BASE + name.substring(base.length());
    }
    return name.equals("cls.predictions.decoder.bias") ? "cls.predictions.bias" : name;
  }

  /** Renames the module part of a tensor's name. */
  private static String rename(String name, Map<String, String> modules) {
    int dot = name.lastIndexOf('.');
    String module = dot < 0 ? name : name.substring(0, dot);
    String other = modules.get(module);
    return other == null ? name : other + name.substring(module.length());
  }

  private static Map<String, String> inverse(Map<String, String> names) {
    Map<String, String> inverse = new HashMap<>();
    names.forEach((from, to) -> inverse.put(to, from));
    return Map.copyOf(inverse);
  }
}

package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import io.stillhouse.config.Options;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.TorchScript;

/** The training pass forward and backward, block by block, as TorchScript. */
public final class TrainingOps {
  /** oneDNN's product is the faster one on a processor, and there alone. */
  private static final String ONE_DNN =
      "ops.mkldnn._linear_pointwise(%s, %s, %s, \"none\", annotate(List[Optional[number]], []),"
          + " \"\")";

  private static final String PLAIN = "torch.linear(%s, %s, %s)";

  /** bfloat16 is 15, float32 6: torch.to returns a tensor of that dtype itself. */
  private static final String ROUNDED = "torch.to(%s, 15)";

  private static final String WIDENED = "torch.to(%s, 6)";

  // A mask list is empty where nothing is dropped. `saved`, of a block: input, q scaled, k, v,
  // probabilities, context, first sum with its mean and deviation, middle, inner before and after
  // GELU, second sum with its mean and deviation: what `block` returns after output and scores.
  // `parts`: 0, 1 or 2 for each gradient of queries, keys or values, (B, L, D), in `partGrads`.
  // `mixed`: MurmurHash3's finaliser, as Dropout has it; int32 wraps, its shifts keep the sign.
  private static final String OPS =
      """
        def mixed(self: __torch__.Ops, numbers: Tensor) -> Tensor:
          a = torch.bitwise_xor(numbers, torch.bitwise_and(torch.bitwise_right_shift(numbers, 16), 65535))
          b = torch.mul(a, -2048144789)
          c = torch.bitwise_xor(b, torch.bitwise_and(torch.bitwise_right_shift(b, 13), 524287))
          d = torch.mul(c, -1028477387)
          return torch.bitwise_xor(d, torch.bitwise_and(torch.bitwise_right_shift(d, 16), 65535))
        def dropout(self: __torch__.Ops, shape: List[int], firstM1: Tensor, secondM1: Tensor, dropped: int, kept: float) -> List[Tensor]:
          size = 1
          for i in range(torch.len(shape)):
            size = torch.mul(size, shape[i])
          numbers = torch.arange(size, dtype=3, layout=0, device=ops.prim.device(firstM1), pin_memory=False)
          mixed = (self).mixed(torch.add((self).mixed(torch.bitwise_xor(numbers, firstM1), ), secondM1), )
          levels = torch.bitwise_and(torch.bitwise_right_shift(mixed, 16), 65535)
          masks = torch.mul(torch.to(torch.ge(levels, dropped), 6), kept)
          return torch.unbind(torch.view(masks, torch.add([torch.size(firstM1, 0)], shape)), 0)
        def join(self: __torch__.Ops, copy: Tensor, parts: List[Tensor]) -> Tensor:
          return torch.cat(parts, 0, out=copy)
        def pad(self: __torch__.Ops, realND: Tensor, tokensN: Tensor, batch: int, length: int) -> Tensor:
          width = torch.size(realND, 1)
          if torch.eq(torch.size(realND, 0), torch.mul(batch, length)):
            padded = torch.view(realND, [batch, length, width])
          else:
            zeros = torch.new_zeros(realND, [torch.mul(batch, length), width])
            padded = torch.view(torch.index_copy_(zeros, 0, tokensN, realND), [batch, length, width])
          return padded
        def unpad(self: __torch__.Ops, paddedBLD: Tensor, tokensN: Tensor) -> Tensor:
          flat = torch.flatten(paddedBLD, 0, 1)
          if torch.eq(torch.size(flat, 0), torch.size(tokensN, 0)):
            real = flat
          else:
            real = torch.index_select(flat, 0, tokensN)
          return real
        def linear(self: __torch__.Ops, inputND: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
          return LINEAR
        def product(self: __torch__.Ops, inputND: Tensor, weight: Tensor) -> Tensor:
          return PRODUCT
        def add_outer(self: __torch__.Ops, sum: Tensor, gradND: Tensor, inputNE: Tensor) -> Tensor:
          return OUTER
        def product_backward(self: __torch__.Ops, gradNE: Tensor, inputND: Tensor, weight: Tensor, weightGrads: List[Tensor]) -> Tensor:
          _0 = (self).add_outer(weightGrads[0], gradNE, inputND, )
          return (self).product(gradNE, torch.t(weight), )
        def embed(self: __torch__.Ops, ids: List[Tensor], tables: List[Tensor], norms: List[Tensor], mapping: List[Tensor], eps: float, masks: List[Tensor]) -> List[Tensor]:
          sum = torch.index_select(tables[0], 0, ids[0])
          for i in range(torch.sub(torch.len(tables), 1)):
            at = torch.add(i, 1)
            _0 = torch.add_(sum, torch.index_select(tables[at], 0, ids[at]))
          normed, mean, rstd = torch.native_layer_norm(sum, [torch.size(sum, 1)], norms[0], norms[1], eps)
          if torch.gt(torch.len(masks), 0):
            _1 = torch.mul_(normed, masks[0])
          else:
            pass
          if torch.gt(torch.len(mapping), 0):
            state = (self).linear(normed, mapping[0], mapping[1], )
          else:
            state = normed
          return [state, sum, mean, rstd, normed]
        def embed_backward(self: __torch__.Ops, gradND: Tensor, ids: List[Tensor], saved: List[Tensor], norms: List[Tensor], mapping: List[Tensor], masks: List[Tensor], tableGrads: List[Tensor], normGrads: List[Tensor], mappingGrads: List[Tensor]) -> NoneType:
          if torch.gt(torch.len(mapping), 0):
            _0 = (self).linear_backward(gradND, saved[4], mappingGrads[0], mappingGrads[1], )
            normed = (self).product(gradND, torch.t(mapping[0]), )
          else:
            normed = gradND
          if torch.gt(torch.len(masks), 0):
            grad = torch.mul(normed, masks[0])
          else:
            grad = normed
          sum, weight, bias = torch.native_layer_norm_backward(grad, saved[1], [torch.size(grad, 1)], saved[2], saved[3], norms[0], norms[1], [True, True, True])
          _1 = torch.index_add_(tableGrads[0], 0, ids[0], sum)
          for i in range(torch.sub(torch.len(tableGrads), 1)):
            at = torch.add(i, 1)
            _2 = torch.add_(tableGrads[at], torch.embedding_dense_backward(sum, ids[at], torch.size(tableGrads[at], 0), -1, False))
          _3 = torch.add_(normGrads[0], weight)
          _4 = torch.add_(normGrads[1], bias)
          return None
        def block(self: __torch__.Ops, inputND: Tensor, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor], tokensN: Tensor, biasB11L: Tensor, heads: int, eps: float, dropped: List[Tensor], masks: List[Tensor]) -> List[Tensor]:
          width = torch.size(inputND, 1)
          batch = torch.size(biasB11L, 0)
          length = torch.size(biasB11L, 3)
          headSize = torch.floordiv(width, heads)
          qkvBLE = (self).pad((self).linear(inputND, weights[0], biases[0], ), tokensN, batch, length, )
          qkv3BHLK = torch.permute(torch.view(qkvBLE, [batch, length, 3, heads, headSize]), [2, 0, 3, 1, 4])
          q = torch.mul(torch.select(qkv3BHLK, 0, 0), torch.pow(headSize, -0.5))
          k = torch.contiguous(torch.select(qkv3BHLK, 0, 1))
          v = torch.contiguous(torch.select(qkv3BHLK, 0, 2))
          scores = torch.matmul(q, torch.transpose(k, 2, 3))
          probabilities = torch.softmax(torch.add(scores, biasB11L), -1)
          if torch.gt(torch.len(dropped), 0):
            kept = torch.mul(probabilities, dropped[0])
          else:
            kept = probabilities
          contextBLD = torch.reshape(torch.transpose(torch.matmul(kept, v), 1, 2), [batch, length, width])
          context = (self).unpad(contextBLD, tokensN, )
          first = (self).linear(context, weights[1], biases[1], )
          if torch.gt(torch.len(masks), 0):
            _0 = torch.mul_(first, masks[0])
          else:
            pass
          _1 = torch.add_(first, inputND)
          middle, mean1, rstd1 = torch.native_layer_norm(first, [width], norms[0], norms[1], eps)
          inner = (self).linear(middle, weights[2], biases[2], )
          active = torch.gelu(inner)
          second = (self).linear(active, weights[3], biases[3], )
          if torch.gt(torch.len(masks), 0):
            _2 = torch.mul_(second, masks[1])
          else:
            pass
          _3 = torch.add_(second, middle)
          output, mean2, rstd2 = torch.native_layer_norm(second, [width], norms[2], norms[3], eps)
          return [output, scores, inputND, q, k, v, probabilities, context, first, mean1, rstd1, middle, inner, active, second, mean2, rstd2]
        def linear_backward(self: __torch__.Ops, gradND: Tensor, inputNE: Tensor, weightGrad: Tensor, biasGrad: Tensor) -> NoneType:
          _0 = (self).add_outer(weightGrad, gradND, inputNE, )
          _1 = torch.add_(biasGrad, torch.sum(gradND, [0]))
          return None
        def attention_backward(self: __torch__.Ops, scores: Tensor, values: Tensor, parts: List[int], partGrads: List[Tensor], saved: List[Tensor], weights: List[Tensor], tokensN: Tensor, heads: int, qkvGrads: List[Tensor], qkvBiasGrads: List[Tensor]) -> Tensor:
          width = torch.size(saved[0], 1)
          batch = torch.size(saved[4], 0)
          length = torch.size(saved[4], 2)
          headSize = torch.floordiv(width, heads)
          queries = torch.mul(torch.matmul(scores, saved[2]), torch.pow(headSize, -0.5))
          keys = torch.matmul(torch.transpose(scores, 2, 3), saved[1])
          qkv3BHLK = torch.stack([queries, keys, values])
          for j in range(torch.len(parts)):
            partBHLK = torch.transpose(torch.view(partGrads[j], [batch, length, heads, headSize]), 1, 2)
            _10 = torch.add_(torch.select(qkv3BHLK, 0, parts[j]), partBHLK)
          qkvBLE = torch.reshape(torch.permute(qkv3BHLK, [1, 3, 0, 2, 4]), [batch, length, torch.mul(3, width)])
          qkv = (self).unpad(qkvBLE, tokensN, )
          for i in range(3):
            part = torch.narrow(qkv, 1, torch.mul(i, width), width)
            _9 = (self).linear_backward(part, saved[0], qkvGrads[i], qkvBiasGrads[i], )
          return (self).product(qkv, torch.t(weights[0]), )
        def relations_backward(self: __torch__.Ops, scoreGrads: List[Tensor], parts: List[int], partGrads: List[Tensor], saved: List[Tensor], weights: List[Tensor], tokensN: Tensor, heads: int, qkvGrads: List[Tensor], qkvBiasGrads: List[Tensor]) -> Tensor:
          if torch.gt(torch.len(scoreGrads), 0):
            scores = scoreGrads[0]
          else:
            scores = torch.zeros_like(saved[4])
          return (self).attention_backward(scores, torch.zeros_like(saved[3]), parts, partGrads, saved, weights, tokensN, heads, qkvGrads, qkvBiasGrads, )
        def block_backward(self: __torch__.Ops, gradND: Tensor, scoreGrads: List[Tensor], parts: List[int], partGrads: List[Tensor], saved: List[Tensor], weights: List[Tensor], norms: List[Tensor], tokensN: Tensor, heads: int, dropped: List[Tensor], masks: List[Tensor], qkvGrads: List[Tensor], qkvBiasGrads: List[Tensor], weightGrads: List[Tensor], biasGrads: List[Tensor], normGrads: List[Tensor]) -> Tensor:
          width = torch.size(gradND, 1)
          batch = torch.size(saved[4], 0)
          length = torch.size(saved[4], 2)
          headSize = torch.floordiv(width, heads)
          second, w2, b2 = torch.native_layer_norm_backward(gradND, saved[12], [width], saved[13], saved[14], norms[2], norms[3], [True, True, True])
          _0 = torch.add_(normGrads[2], w2)
          _1 = torch.add_(normGrads[3], b2)
          if torch.gt(torch.len(masks), 0):
            outer = torch.mul(second, masks[1])
          else:
            outer = second
          _2 = (self).linear_backward(outer, saved[11], weightGrads[2], biasGrads[2], )
          inner = torch.gelu_backward((self).product(outer, torch.t(weights[3]), ), saved[10])
          _3 = (self).linear_backward(inner, saved[9], weightGrads[1], biasGrads[1], )
          middle = torch.add_((self).product(inner, torch.t(weights[2]), ), second)
          first, w1, b1 = torch.native_layer_norm_backward(middle, saved[6], [width], saved[7], saved[8], norms[0], norms[1], [True, True, True])
          _4 = torch.add_(normGrads[0], w1)
          _5 = torch.add_(normGrads[1], b1)
          if torch.gt(torch.len(masks), 0):
            attended = torch.mul(first, masks[0])
          else:
            attended = first
          _6 = (self).linear_backward(attended, saved[5], weightGrads[0], biasGrads[0], )
          contextBLD = (self).pad((self).product(attended, torch.t(weights[1]), ), tokensN, batch, length, )
          context = torch.transpose(torch.view(contextBLD, [batch, length, heads, headSize]), 1, 2)
          keptGrad = torch.matmul(context, torch.transpose(saved[3], 2, 3))
          if torch.gt(torch.len(dropped), 0):
            _7 = torch.mul_(keptGrad, dropped[0])
            kept = torch.mul(saved[4], dropped[0])
          else:
            kept = saved[4]
          values = torch.matmul(torch.transpose(kept, 2, 3), context)
          scores = torch._softmax_backward_data(keptGrad, saved[4], -1, 6)
          if torch.gt(torch.len(scoreGrads), 0):
            _8 = torch.add_(scores, scoreGrads[0])
          else:
            pass
          return torch.add_((self).attention_backward(scores, values, parts, partGrads, saved, weights, tokensN, heads, qkvGrads, qkvBiasGrads, ), first)
      """
          .indent(0);

  private TrainingOps() {}

  public static PtSymbolBlock compile(NDManager manager, Precision precision) {
    return compile(manager, precision, OPS);
  }

  /**
   * Compiles methods in which LINEAR, PRODUCT and OUTER stand for the device's fastest: a product
   * with a weight and its bias, one without, and what is added to the gradient of a weight.
   */
  public static PtSymbolBlock compile(NDManager manager, Precision precision, String ops) {
    boolean gpu = manager.getDevice().isGpu();
    if (!gpu) {
      precision.requireProcessor(Options.TRAIN_PRECISION.key());
    }
    String linear = gpu ? PLAIN : ONE_DNN;
    if (precision == Precision.FLOAT32) {
      return TorchScript.compile(
          manager,
          ops.replace("LINEAR", linear.formatted("inputND", "weight", "bias"))
              .replace("PRODUCT", linear.formatted("inputND", "weight", "None"))
              .replace("OUTER", "torch.addmm_(sum, torch.t(gradND), inputNE)"));
    }
    String product =
        WIDENED.formatted(
            linear.formatted(ROUNDED.formatted("inputND"), ROUNDED.formatted("weight"), "None"));
    String outer =
        "torch.mm(torch.t(%s), %s)"
            .formatted(ROUNDED.formatted("gradND"), ROUNDED.formatted("inputNE"));
    return TorchScript.compile(
        manager,
        ops.replace("LINEAR", "torch.add_(%s, bias)".formatted(product))
            .replace("PRODUCT", product)
            .replace("OUTER", "torch.add_(sum, %s)".formatted(outer)));
  }
}

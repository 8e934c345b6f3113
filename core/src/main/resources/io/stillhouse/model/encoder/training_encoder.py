# The training pass of an encoder: forward and backward, block by block.
#
# Names of tensors end in their shape: B rows, L padded length, N real tokens of all rows, D hidden width, H heads, K
# width of a head, E any other width. Linear layers compute real tokens only, attention computes them padded. A list of
# masks is empty if nothing is dropped. Gradients of weights are added in place. `products` is the file for the device
# and the precision, from io/stillhouse/torch.


class Config(NamedTuple):
    heads: int
    eps: float
    relu: bool  # ReLU instead of GELU
    approximate: str  # of GELU: "none" computes it with erf, "tanh" approximates it


# Weights, or their gradients.
class Embeddings(NamedTuple):
    tables: List[Tensor]  # words and positions, and segments if the architecture has any
    norm: Tensor
    normBias: Tensor
    mapping: List[Tensor]  # weight and bias of the layer that maps embeddings to hidden states, if there is one


class SavedEmbeddings(NamedTuple):
    ids: List[Tensor]  # rows that were read, for each table
    masks: List[Tensor]
    sum: Tensor  # before LayerNorm, with its mean and reciprocal standard deviation
    mean: Tensor
    rstd: Tensor
    normed: Tensor  # after dropout


class BlockWeights(NamedTuple):
    qkv: Tensor  # a copy of query, key and value in one tensor, (3D, D)
    qkvBias: Tensor
    attention: Tensor  # the linear layer after attention
    attentionBias: Tensor
    inner: Tensor
    innerBias: Tensor
    outer: Tensor
    outerBias: Tensor
    norm1: Tensor  # LayerNorm after attention
    norm1Bias: Tensor
    norm2: Tensor  # LayerNorm after the feed-forward layer
    norm2Bias: Tensor


# Gradients of query, key and value. A block has only these gradients if losses read its scores or vectors, but nothing
# above them.
class QkvGrads(NamedTuple):
    weights: List[Tensor]
    biases: List[Tensor]


class BlockGrads(NamedTuple):
    attention: Tensor
    attentionBias: Tensor
    inner: Tensor
    innerBias: Tensor
    outer: Tensor
    outerBias: Tensor
    norm1: Tensor
    norm1Bias: Tensor
    norm2: Tensor
    norm2Bias: Tensor


class SavedBlock(NamedTuple):
    tokensN: Tensor
    inputND: Tensor
    queriesBHLK: Tensor  # divided by sqrt(K)
    keysBHLK: Tensor
    valuesBHLK: Tensor
    probabilitiesBHLL: Tensor  # before dropout
    attentionMasks: List[Tensor]
    hiddenMasks: List[Tensor]
    contextND: Tensor
    sum1: Tensor  # before the first LayerNorm, with its mean and reciprocal standard deviation
    mean1: Tensor
    rstd1: Tensor
    middleND: Tensor
    innerNE: Tensor  # before the activation function
    activeNE: Tensor  # after it
    sum2: Tensor  # before the second LayerNorm
    mean2: Tensor
    rstd2: Tensor


class Ops(Module):
    training: bool

    def config(self, heads: int, eps: float, relu: bool, approximate: str) -> __torch__.Config:
        return __torch__.Config(heads, eps, relu, approximate)

    def embeddings(
        self, tables: List[Tensor], norms: List[Tensor], mapping: List[Tensor]
    ) -> __torch__.Embeddings:
        norm, normBias = norms
        return __torch__.Embeddings(tables, norm, normBias, mapping)

    def block_weights(
        self, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor]
    ) -> __torch__.BlockWeights:
        qkv, attention, inner, outer = weights
        qkvBias, attentionBias, innerBias, outerBias = biases
        norm1, norm1Bias, norm2, norm2Bias = norms
        return __torch__.BlockWeights(
            qkv=qkv,
            qkvBias=qkvBias,
            attention=attention,
            attentionBias=attentionBias,
            inner=inner,
            innerBias=innerBias,
            outer=outer,
            outerBias=outerBias,
            norm1=norm1,
            norm1Bias=norm1Bias,
            norm2=norm2,
            norm2Bias=norm2Bias,
        )

    def qkv_grads(self, weights: List[Tensor], biases: List[Tensor]) -> __torch__.QkvGrads:
        return __torch__.QkvGrads(weights, biases)

    def block_grads(
        self, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor]
    ) -> __torch__.BlockGrads:
        attention, inner, outer = weights
        attentionBias, innerBias, outerBias = biases
        norm1, norm1Bias, norm2, norm2Bias = norms
        return __torch__.BlockGrads(
            attention=attention,
            attentionBias=attentionBias,
            inner=inner,
            innerBias=innerBias,
            outer=outer,
            outerBias=outerBias,
            norm1=norm1,
            norm1Bias=norm1Bias,
            norm2=norm2,
            norm2Bias=norm2Bias,
        )

    # Writes tensors into `copy`, one after another.
    def join(self, copy: Tensor, parts: List[Tensor]) -> Tensor:
        return torch.cat(parts, 0, out=copy)

    # Returns (B, L, D) with zeros at padding.
    def pad(self, realND: Tensor, tokensN: Tensor, batch: int, length: int) -> Tensor:
        width = realND.size(1)
        if realND.size(0) == batch * length:
            padded = realND
        else:
            padded = realND.new_zeros([batch * length, width]).index_copy_(0, tokensN, realND)
        return padded.view([batch, length, width])

    # Returns the real tokens, (N, D).
    def unpad(self, paddedBLD: Tensor, tokensN: Tensor) -> Tensor:
        flat = paddedBLD.flatten(0, 1)
        if flat.size(0) == tokensN.size(0):
            real = flat
        else:
            real = flat.index_select(0, tokensN)
        return real

    def linear_backward(self, gradNE: Tensor, inputND: Tensor, weightGrad: Tensor, biasGrad: Tensor) -> None:
        __torch__.products.add_outer(weightGrad, gradNE, inputND)
        biasGrad.add_(gradNE.sum([0]))

    # Returns a hidden state mapped to the teacher's width, (N, E).
    def project(self, inputND: Tensor, weightED: Tensor) -> Tensor:
        return __torch__.products.product(inputND, weightED)

    # Returns the gradient of the hidden state, and adds that of the weight to `grads`.
    def project_backward(self, gradNE: Tensor, inputND: Tensor, weightED: Tensor, grads: List[Tensor]) -> Tensor:
        __torch__.products.add_outer(grads[0], gradNE, inputND)
        return __torch__.products.product(gradNE, weightED.t())

    # Returns hidden state 0, (N, D), and what the backward pass needs. `ids` contains the rows to read, (N), for each
    # table.
    def embed(
        self,
        ids: List[Tensor],
        weights: __torch__.Embeddings,
        config: __torch__.Config,
        masks: List[Tensor],
    ) -> Tuple[Tensor, __torch__.SavedEmbeddings]:
        sum = weights.tables[0].index_select(0, ids[0])
        for i in range(1, len(weights.tables)):
            sum.add_(weights.tables[i].index_select(0, ids[i]))
        normed, mean, rstd = torch.native_layer_norm(
            sum, [sum.size(1)], weights.norm, weights.normBias, config.eps
        )
        if len(masks) > 0:
            normed.mul_(masks[0])
        if len(weights.mapping) > 0:
            state = __torch__.products.linear(normed, weights.mapping[0], weights.mapping[1])
        else:
            state = normed
        return state, __torch__.SavedEmbeddings(ids, masks, sum, mean, rstd, normed)

    def embed_backward(
        self,
        gradND: Tensor,
        saved: __torch__.SavedEmbeddings,
        weights: __torch__.Embeddings,
        grads: __torch__.Embeddings,
    ) -> None:
        if len(weights.mapping) > 0:
            self.linear_backward(gradND, saved.normed, grads.mapping[0], grads.mapping[1])
            normed = __torch__.products.product(gradND, weights.mapping[0].t())
        else:
            normed = gradND
        if len(saved.masks) > 0:
            grad = normed * saved.masks[0]
        else:
            grad = normed
        sum, norm, normBias = torch.native_layer_norm_backward(
            grad,
            saved.sum,
            [grad.size(1)],
            saved.mean,
            saved.rstd,
            weights.norm,
            weights.normBias,
            [True, True, True],
        )
        # The word table is large, so gradients are added only to the rows that were read. The other tables are small.
        grads.tables[0].index_add_(0, saved.ids[0], sum)
        for i in range(1, len(grads.tables)):
            rows = grads.tables[i].size(0)
            grads.tables[i].add_(torch.embedding_dense_backward(sum, saved.ids[i], rows, -1, False))
        grads.norm.add_(norm)
        grads.normBias.add_(normBias)

    # Returns the block's output, (N, D), its scores before the padding bias, (B, H, L, L), its queries (divided by
    # sqrt(K)), keys and values, (B, H, L, K), and what the backward pass needs.
    def block(
        self,
        inputND: Tensor,
        weights: __torch__.BlockWeights,
        config: __torch__.Config,
        tokensN: Tensor,
        biasB11L: Tensor,
        attentionMasks: List[Tensor],
        hiddenMasks: List[Tensor],
    ) -> Tuple[Tensor, Tensor, Dict[str, Tensor], __torch__.SavedBlock]:
        width = inputND.size(1)
        batch = biasB11L.size(0)
        length = biasB11L.size(3)
        headSize = width // config.heads
        qkvNE = __torch__.products.linear(inputND, weights.qkv, weights.qkvBias)
        qkvBLE = self.pad(qkvNE, tokensN, batch, length)
        qkv3BHLK = qkvBLE.view([batch, length, 3, config.heads, headSize]).permute([2, 0, 3, 1, 4])
        queriesBHLK = qkv3BHLK.select(0, 0) * headSize ** -0.5
        keysBHLK = qkv3BHLK.select(0, 1).contiguous()
        valuesBHLK = qkv3BHLK.select(0, 2).contiguous()
        scoresBHLL = torch.matmul(queriesBHLK, keysBHLK.transpose(2, 3))
        probabilitiesBHLL = torch.softmax(scoresBHLL + biasB11L, -1)
        if len(attentionMasks) > 0:
            keptBHLL = probabilitiesBHLL * attentionMasks[0]
        else:
            keptBHLL = probabilitiesBHLL
        contextBLD = torch.matmul(keptBHLL, valuesBHLK).transpose(1, 2).reshape([batch, length, width])
        contextND = self.unpad(contextBLD, tokensN)

        sum1 = __torch__.products.linear(contextND, weights.attention, weights.attentionBias)
        if len(hiddenMasks) > 0:
            sum1.mul_(hiddenMasks[0])
        sum1.add_(inputND)
        middleND, mean1, rstd1 = torch.native_layer_norm(
            sum1, [width], weights.norm1, weights.norm1Bias, config.eps
        )

        innerNE = __torch__.products.linear(middleND, weights.inner, weights.innerBias)
        if config.relu:
            activeNE = torch.relu(innerNE)
        else:
            activeNE = torch.gelu(innerNE, approximate=config.approximate)
        sum2 = __torch__.products.linear(activeNE, weights.outer, weights.outerBias)
        if len(hiddenMasks) > 0:
            sum2.mul_(hiddenMasks[1])
        sum2.add_(middleND)
        outputND, mean2, rstd2 = torch.native_layer_norm(
            sum2, [width], weights.norm2, weights.norm2Bias, config.eps
        )
        vectors = {"query": queriesBHLK, "key": keysBHLK, "value": valuesBHLK}
        saved = __torch__.SavedBlock(
            tokensN=tokensN,
            inputND=inputND,
            queriesBHLK=queriesBHLK,
            keysBHLK=keysBHLK,
            valuesBHLK=valuesBHLK,
            probabilitiesBHLL=probabilitiesBHLL,
            attentionMasks=attentionMasks,
            hiddenMasks=hiddenMasks,
            contextND=contextND,
            sum1=sum1,
            mean1=mean1,
            rstd1=rstd1,
            middleND=middleND,
            innerNE=innerNE,
            activeNE=activeNE,
            sum2=sum2,
            mean2=mean2,
            rstd2=rstd2,
        )
        return outputND, scoresBHLL, vectors, saved

    # Returns the gradient of the block's input, (N, D). `losses` contains the losses' gradients of the block's scores,
    # (B, H, L, L), as "scores", and of its vectors, (B, L, D), as "query", "key" and "value"; each may be absent.
    def block_backward(
        self,
        gradND: Tensor,
        losses: Dict[str, Tensor],
        saved: __torch__.SavedBlock,
        weights: __torch__.BlockWeights,
        config: __torch__.Config,
        qkvGrads: __torch__.QkvGrads,
        grads: __torch__.BlockGrads,
    ) -> Tensor:
        width = gradND.size(1)
        batch = saved.probabilitiesBHLL.size(0)
        length = saved.probabilitiesBHLL.size(2)
        headSize = width // config.heads

        sum2, norm2, norm2Bias = torch.native_layer_norm_backward(
            gradND,
            saved.sum2,
            [width],
            saved.mean2,
            saved.rstd2,
            weights.norm2,
            weights.norm2Bias,
            [True, True, True],
        )
        grads.norm2.add_(norm2)
        grads.norm2Bias.add_(norm2Bias)
        if len(saved.hiddenMasks) > 0:
            outerND = sum2 * saved.hiddenMasks[1]
        else:
            outerND = sum2
        self.linear_backward(outerND, saved.activeNE, grads.outer, grads.outerBias)
        activeNE = __torch__.products.product(outerND, weights.outer.t())
        if config.relu:
            innerNE = torch.threshold_backward(activeNE, saved.innerNE, 0)
        else:
            innerNE = torch.gelu_backward(activeNE, saved.innerNE, approximate=config.approximate)
        self.linear_backward(innerNE, saved.middleND, grads.inner, grads.innerBias)
        middleND = __torch__.products.product(innerNE, weights.inner.t()) + sum2

        sum1, norm1, norm1Bias = torch.native_layer_norm_backward(
            middleND,
            saved.sum1,
            [width],
            saved.mean1,
            saved.rstd1,
            weights.norm1,
            weights.norm1Bias,
            [True, True, True],
        )
        grads.norm1.add_(norm1)
        grads.norm1Bias.add_(norm1Bias)
        if len(saved.hiddenMasks) > 0:
            attendedND = sum1 * saved.hiddenMasks[0]
        else:
            attendedND = sum1
        self.linear_backward(attendedND, saved.contextND, grads.attention, grads.attentionBias)
        contextND = __torch__.products.product(attendedND, weights.attention.t())
        contextBLD = self.pad(contextND, saved.tokensN, batch, length)
        contextBHLK = contextBLD.view([batch, length, config.heads, headSize]).transpose(1, 2)

        probabilitiesBHLL = torch.matmul(contextBHLK, saved.valuesBHLK.transpose(2, 3))
        if len(saved.attentionMasks) > 0:
            probabilitiesBHLL.mul_(saved.attentionMasks[0])
            keptBHLL = saved.probabilitiesBHLL * saved.attentionMasks[0]
        else:
            keptBHLL = saved.probabilitiesBHLL
        valuesBHLK = torch.matmul(keptBHLL.transpose(2, 3), contextBHLK)
        scoresBHLL = torch._softmax_backward_data(probabilitiesBHLL, saved.probabilitiesBHLL, -1, 6)
        if "scores" in losses:
            scoresBHLL.add_(losses["scores"])
        return self.qkv_backward(scoresBHLL, valuesBHLK, losses, saved, weights, config, qkvGrads) + sum1

    # Like `block_backward`, for a block whose output no loss depends on.
    def relations_backward(
        self,
        losses: Dict[str, Tensor],
        saved: __torch__.SavedBlock,
        weights: __torch__.BlockWeights,
        config: __torch__.Config,
        qkvGrads: __torch__.QkvGrads,
    ) -> Tensor:
        if "scores" in losses:
            scoresBHLL = losses["scores"]
        else:
            scoresBHLL = torch.zeros_like(saved.probabilitiesBHLL)
        valuesBHLK = torch.zeros_like(saved.valuesBHLK)
        return self.qkv_backward(scoresBHLL, valuesBHLK, losses, saved, weights, config, qkvGrads)

    # Returns the gradient of the block's input through its queries, keys and values, given the gradients of scores and
    # values.
    def qkv_backward(
        self,
        scoresBHLL: Tensor,
        valuesBHLK: Tensor,
        losses: Dict[str, Tensor],
        saved: __torch__.SavedBlock,
        weights: __torch__.BlockWeights,
        config: __torch__.Config,
        grads: __torch__.QkvGrads,
    ) -> Tensor:
        width = saved.inputND.size(1)
        batch = scoresBHLL.size(0)
        length = scoresBHLL.size(2)
        headSize = width // config.heads
        queriesBHLK = torch.matmul(scoresBHLL, saved.keysBHLK) * headSize ** -0.5
        keysBHLK = torch.matmul(scoresBHLL.transpose(2, 3), saved.queriesBHLK)
        qkv3BHLK = torch.stack([queriesBHLK, keysBHLK, valuesBHLK])
        parts = ["query", "key", "value"]
        for i in range(3):
            if parts[i] in losses:
                lossBLHK = losses[parts[i]].view([batch, length, config.heads, headSize])
                qkv3BHLK.select(0, i).add_(lossBLHK.transpose(1, 2))
        qkvBLE = qkv3BHLK.permute([1, 3, 0, 2, 4]).reshape([batch, length, 3 * width])
        qkvNE = self.unpad(qkvBLE, saved.tokensN)
        for i in range(3):
            self.linear_backward(qkvNE.narrow(1, i * width, width), saved.inputND, grads.weights[i], grads.biases[i])
        return __torch__.products.product(qkvNE, weights.qkv.t())

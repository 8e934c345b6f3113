# The forward pass of an encoder on a CPU, without gradients, block by block.
#
# Names of tensors end in their shape: B rows, L padded length, N real tokens of all rows, D hidden width, H heads, K
# width of a head, E any other width. States are packed: the real tokens of all rows, one after another. Consecutive
# rows of the same length form a run; attention computes a run at once. Tensors of bfloat16 never leave this module,
# because DJL has no such dtype. `to` returns the tensor itself if it already has the dtype; 6 is float32.


class Config(NamedTuple):
    heads: int
    eps: float
    dtype: int  # of the factors and results of products with weights
    activation: str  # oneDNN's name, "gelu" or "relu"
    algorithm: str  # of GELU: "none" computes it with erf, "tanh" approximates it


class Packing(NamedTuple):
    tokensN: Tensor  # indices of the real tokens among the padded ones
    rows: List[int]  # rows of each run
    lengths: List[int]  # their length
    batch: int
    length: int  # padded


class BlockWeights(NamedTuple):
    qkv: Tensor  # query, key and value in one tensor; weights of linear layers are in oneDNN's layout
    qkvBias: Tensor
    attention: Tensor
    attentionBias: Tensor
    inner: Tensor
    innerBias: Tensor
    outer: Tensor
    outerBias: Tensor
    norm1: Tensor  # LayerNorm after attention
    norm1Bias: Tensor
    norm2: Tensor  # LayerNorm after the feed-forward layer
    norm2Bias: Tensor


class Ops(Module):
    training: bool

    def config(self, heads: int, eps: float, dtype: int, activation: str, algorithm: str) -> __torch__.Config:
        return __torch__.Config(heads, eps, dtype, activation, algorithm)

    def packing(
        self, tokensN: Tensor, rows: List[int], lengths: List[int], batch: int, length: int
    ) -> __torch__.Packing:
        return __torch__.Packing(tokensN, rows, lengths, batch, length)

    def block_weights(
        self, config: __torch__.Config, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor]
    ) -> __torch__.BlockWeights:
        packed = annotate(List[Tensor], [])
        for i in range(len(weights)):
            packed.append(ops.mkldnn._reorder_linear_weight(weights[i].to(config.dtype), None))
        qkv, attention, inner, outer = packed
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

    # Returns the real tokens, (N, D).
    def unpad(self, paddedBLD: Tensor, packing: __torch__.Packing) -> Tensor:
        return paddedBLD.flatten(0, 1).index_select(0, packing.tokensN)

    # Returns (B, L, D) with zeros at padding.
    def pad(self, realND: Tensor, packing: __torch__.Packing) -> Tensor:
        width = realND.size(1)
        flat = realND.new_zeros([packing.batch * packing.length, width])
        return flat.index_copy_(0, packing.tokensN, realND).view([packing.batch, packing.length, width])

    # Returns queries, keys and values of a run that begins at a token, (3, B, H, L, K).
    def run_vectors(self, qkvNE: Tensor, token: int, rows: int, length: int, heads: int) -> Tensor:
        headSize = qkvNE.size(1) // (3 * heads)
        run = qkvNE.narrow(0, token, rows * length)
        return run.view([rows, length, 3, heads, headSize]).permute([2, 0, 3, 1, 4])

    # Returns the concatenated results of the heads, (N, D).
    def attend(self, qkvNE: Tensor, packing: __torch__.Packing, heads: int) -> Tensor:
        width = qkvNE.size(1) // 3
        contexts = annotate(List[Tensor], [])
        token = 0
        for i in range(len(packing.rows)):
            rows = packing.rows[i]
            length = packing.lengths[i]
            qkv3BHLK = self.run_vectors(qkvNE, token, rows, length, heads)
            contextBHLK = torch.scaled_dot_product_attention(
                qkv3BHLK.select(0, 0), qkv3BHLK.select(0, 1), qkv3BHLK.select(0, 2)
            )
            contexts.append(contextBHLK.transpose(1, 2).reshape([rows * length, width]))
            token = token + rows * length
        return torch.cat(contexts)

    # Returns the scaled products of two of a row's vectors, (B, H, L, L), zero at padding. `left` and `right` are 0 for
    # queries, 1 for keys, 2 for values.
    def products(self, qkvNE: Tensor, packing: __torch__.Packing, heads: int, left: int, right: int) -> Tensor:
        scale = (qkvNE.size(1) // (3 * heads)) ** -0.5
        productsBHLL = qkvNE.new_zeros([packing.batch, heads, packing.length, packing.length])
        token = 0
        row = 0
        for i in range(len(packing.rows)):
            rows = packing.rows[i]
            length = packing.lengths[i]
            qkv3BHLK = self.run_vectors(qkvNE, token, rows, length, heads)
            run = torch.matmul(qkv3BHLK.select(0, left) * scale, qkv3BHLK.select(0, right).transpose(2, 3))
            productsBHLL.narrow(0, row, rows).narrow(2, 0, length).narrow(3, 0, length).copy_(run)
            token = token + rows * length
            row = row + rows
        return productsBHLL

    # Returns a block's "output", (N, D), and, if they are to be kept, its "scores" and "valueRelations".
    def block(
        self,
        inputND: Tensor,
        weights: __torch__.BlockWeights,
        config: __torch__.Config,
        packing: __torch__.Packing,
        keepScores: bool,
        keepRelations: bool,
    ) -> Dict[str, Tensor]:
        none = annotate(List[Optional[number]], [])
        dtype = config.dtype
        heads = config.heads
        width = inputND.size(1)
        qkvNE = ops.mkldnn._linear_pointwise(
            inputND.to(dtype), weights.qkv, weights.qkvBias, "none", none, ""
        ).to(6)
        contextND = self.attend(qkvNE, packing, heads)
        attendedND = ops.mkldnn._linear_pointwise(
            contextND.to(dtype), weights.attention, weights.attentionBias, "none", none, ""
        )
        middleND = torch.layer_norm(
            attendedND.to(6) + inputND, [width], weights.norm1, weights.norm1Bias, config.eps
        )
        innerNE = ops.mkldnn._linear_pointwise(
            middleND.to(dtype), weights.inner, weights.innerBias, config.activation, none, config.algorithm
        )
        outerND = ops.mkldnn._linear_pointwise(innerNE, weights.outer, weights.outerBias, "none", none, "")
        outputND = torch.layer_norm(
            outerND.to(6) + middleND, [width], weights.norm2, weights.norm2Bias, config.eps
        )
        results = {"output": outputND}
        if keepScores:
            results["scores"] = self.products(qkvNE, packing, heads, 0, 1)
        if keepRelations:
            results["valueRelations"] = self.products(qkvNE, packing, heads, 2, 2)
        return results

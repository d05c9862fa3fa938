"""The multi-label softmax loss (Gong et al., ICLR 2014), HP-DVAL's row MLS."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def multilabel_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of softmax over classes against labels / number of labels, mean over images.

    logits and labels (N, C). Gong et al., ICLR 2014 ("Deep Convolutional Ranking for Multilabel
    Image Annotation"), their softmax loss; also Mahajan et al., ECCV 2018. An image without a
    label costs nothing. HP-DVAL's table names its row MLS without a formula that
    is known here, and its released code has no such loss; PyTorch's multi-label soft margin, the
    other reading, is the binary cross entropy, which has a row of its own.

    It does not change when a number is added to an image's logits: it orders classes within an
    image, while average precision orders images within a class.
    """
    target = labels / labels.sum(1, keepdim=True).clamp(min=1)
    return -(target * F.log_softmax(logits, dim=1)).sum(1).mean()

# Attention with several heads and a causal mask (Vaswani et al. 2017)
data x[b,t,e], y[b,t,e]
parameter Wq[h,e,d], Wk[h,e,d], Wv[h,e,d], Wo[h,d,e']
Q[b,h,t,d] = sum[e](x[b,t,e]*Wq[h,e,d])
K[b,h,t,d] = sum[e](x[b,t,e]*Wk[h,e,d])
V[b,h,t,d] = sum[e](x[b,t,e]*Wv[h,e,d])
s[b,h,t,t'] = where([t' <= t], sum[d](Q[b,h,t,d]*K[b,h,t',d])/sqrt(size(d)), -1e30)
A[b,h,t,t'] = exp(s[b,h,t,t'] - logsumexp[t'](s[b,h,t,t']))
o[b,h,t,d] = sum[t'](A[b,h,t,t']*V[b,h,t',d])
r[b,t,e] = x[b,t,e] + sum[h,d](o[b,h,t,d]*Wo[h,d,e])
C = sum[b,t,e]((r[b,t,e] - y[b,t,e])^2)/size(b)

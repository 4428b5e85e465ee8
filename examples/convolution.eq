# A layer of one's own: 32 filters of 3×3, a bias for each, and the rectifier.  Axes are those of the input x[b,h,w];
# the last equation is the output.
axis u = 3, v = 3, o = 32, p = size(h) - size(u) + 1, q = size(w) - size(v) + 1
data x[b,h,w]
parameter W[u,v,o], β[o]
s[b,p,q,o] = sum[u,v](x[b,p + u,q + v]*W[u,v,o])
z[b,p,q,o] = s[b,p,q,o] + β[o]
a[b,p,q,o] = relu(z[b,p,q,o])
